import type { Verb } from './verb.ts';

/** What the master is asked for, to go on with a line: the verb `complete` lists them. */
export const NAME_KINDS = ['builders', 'builds', 'workers'] as const;
export type NameKind = (typeof NAME_KINDS)[number];

export interface Completion {
  readonly words: readonly string[];
  /** Names of this kind may stand here, too. */
  readonly names?: NameKind;
}

/** What may stand in the place of the last word of a call; the words before it are whole. */
export function completeVerb(verbs: readonly Verb[], words: readonly string[]): Completion {
  const typed = words.slice(0, -1);
  const last = words.at(-1) ?? '';
  const verb = verbs.find(({ name }) => `${typed.join(' ')} `.startsWith(`${name} `));
  if (!verb) {
    const before = typed.length === 0 ? '' : `${typed.join(' ')} `;
    const next = verbs.filter(({ name }) => name.startsWith(before)).map(({ name }) => name.slice(before.length));
    return { words: [...new Set(next.map((rest) => rest.split(' ')[0] ?? ''))] };
  }
  if (last.startsWith('-')) return { words: verb.usage.match(/(?<=[[\s|])--?[a-z][a-z-]*/g) ?? [] };
  // The value of an option is the person's own.
  const option = typed.at(-1) ?? '';
  if (option.startsWith('-') && verb.usage.includes(`${option} `) && !verb.usage.includes(`${option}]`))
    return { words: [] };
  const names = namesIn(verb);
  return names && typed.length === verb.name.split(' ').length ? { words: [], names } : { words: [] };
}

/** By the words of its usage. */
function namesIn({ name, usage }: Verb): NameKind | undefined {
  if (/PROJECT(\[?\/)BUILDER/.test(usage)) return 'builders';
  if (/\bBUILD\b/.test(usage)) return 'builds';
  return name.startsWith('worker ') && /\bNAME\b/.test(usage) ? 'workers' : undefined;
}
