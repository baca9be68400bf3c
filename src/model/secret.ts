/** A secret by its name. Its value is known to the master alone, and to the worker that a command with it runs on. */
export type SecretRef = { readonly kind: 'secret'; readonly name: string };

export function isSecretRef(value: unknown): value is SecretRef {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    value.kind === 'secret' &&
    'name' in value &&
    typeof value.name === 'string'
  );
}

/** Of what `secretRef` made. No text that was parsed can have it. */
const MADE = Symbol.for('trunkline.secret');

export function secretRef(name: string): SecretRef {
  return Object.defineProperty({ kind: 'secret', name } as const, MADE, { value: true });
}

/**
 * Whether the configuration itself wrote it. A property that somebody gave, or what a command printed, may look like a secret: whoever
 * made that is to be given none.
 */
export function isMadeSecret(value: unknown): boolean {
  return isSecretRef(value) && Object.hasOwn(value, MADE);
}

/** A shorter one would be found in every other line of a log, and its mask would tell what it is. Bytes. */
export const SHORTEST_SECRET_BYTES = 6;
export const LONGEST_SECRET_BYTES = 16 * 1024;
/** That of an editor at the end of what is read, which is none of the secret's. */
export const NEWLINE_BYTES = 2;
/** Of all secrets that one build is given, together. */
export const SECRETS_OF_BUILD_BYTES = 48 * 1024;
export const MOST_SECRETS_OF_BUILD = 64;

/** The names of all secrets that a value refers to, wherever in it, in the order in which they are met. */
export function secretsIn(value: unknown): readonly string[] {
  return [...new Set(refsIn(value).map(({ name }) => name))];
}

/** What a value refers to secrets by, wherever in it. */
export function refsIn(value: unknown): readonly SecretRef[] {
  const refs: SecretRef[] = [];
  const visited = new Set<object>();
  const visit = (one: unknown): void => {
    if (isSecretRef(one)) return void refs.push(one);
    if (typeof one !== 'object' || one === null || visited.has(one)) return;
    visited.add(one);
    for (const inside of Object.values(one)) visit(inside);
  };
  visit(value);
  return refs;
}
