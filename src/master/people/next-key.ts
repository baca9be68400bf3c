import { MAX_KEYS } from '../../model/principal.ts';
import type { Principal, PublicKey } from '../../model/principal.ts';

/** What a worker is told whose keys are not its own to change. */
const OF_A_FILE =
  "its key comes from the file keys/workers/NAME.pub on the master, which is the administrator's: add the new key there as a line of its own";

/**
 * The keys of a worker that has logged in with one and offers the next: both, until the next one is used. An offer that was made
 * before for the same key gives way. Or why it cannot be.
 */
export function withNextKey(
  principal: Principal | undefined,
  loginKey: string,
  next: PublicKey,
): readonly PublicKey[] | { readonly refused: string } {
  if (!principal || principal.role !== 'worker' || principal.revokedAtMs !== undefined) {
    return { refused: 'the worker is not admitted any more' };
  }
  const { keys, name, source } = principal;
  if (source === 'folder') return { refused: OF_A_FILE.replace('NAME', name) };
  if (!keys.some(({ blob }) => blob === loginKey)) return { refused: 'the key of this login is not admitted any more' };
  if (next.blob === loginKey) return { refused: 'it is the key of this login' };
  const others = keys.filter(({ blob, replaces }) => blob !== next.blob && replaces !== loginKey);
  // One that goes on from key to key, and works with none of them, settles none.
  if (others.length >= MAX_KEYS) return { refused: `it has ${MAX_KEYS} keys already` };
  return [...others, { ...next, comment: name, replaces: loginKey }];
}

/** The keys after a login with one of them; undefined when nothing changes. */
export function settledKeys(keys: readonly PublicKey[], loginKey: string): readonly PublicKey[] | undefined {
  const used = keys.find(({ blob }) => blob === loginKey);
  if (used?.replaces === undefined) return undefined;
  const { replaces, ...settled } = used;
  return keys.filter(({ blob }) => blob !== replaces).map((key) => (key === used ? settled : key));
}

/** For the answer to an operator, before the worker is asked. */
export function whyNotRenewed({ source, name }: Principal): string | undefined {
  return source === 'folder' ? OF_A_FILE.replace('NAME', name) : undefined;
}
