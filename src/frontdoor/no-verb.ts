import { plain } from '../base/plain.ts';
import { UsageError } from './verb.ts';
import type { Verb } from './verb.ts';

/** So many typos still tell what was meant; in a word of less than five letters one does. */
const MAX_TYPOS = 2;
const LONG_WORD = 5;
/** No verb is as long. */
const MAX_LETTERS = 32;

/** The verbs of two words that begin with this one. */
export function verbsOf(verbs: readonly Verb[], noun: string): readonly Verb[] {
  return verbs.filter(({ name }) => name.startsWith(`${noun} `));
}

/** What is wrong with words that begin with no verb, and what may have been meant. */
export function noVerb(verbs: readonly Verb[], [first = '', second]: readonly string[]): UsageError {
  const seconds = verbsOf(verbs, first).map(({ name }) => name.slice(first.length + 1));
  if (seconds.length > 0) {
    const what = second === undefined ? `"${plain(first)}" wants one word more` : noSuch(`${first} ${second}`);
    return new UsageError(`${what}: ${first} ${seconds.join('|')}`);
  }
  const meant = nearest(verbs, first.toLowerCase());
  return new UsageError(
    `${noSuch(first)}${meant === undefined ? '' : ` (did you mean "${meant}"?)`}; "help" lists them`,
  );
}

function noSuch(words: string): string {
  return `there is no verb "${plain(words)}"`;
}

function nearest(verbs: readonly Verb[], word: string): string | undefined {
  if (word.length > MAX_LETTERS) return undefined;
  const known = verbs.map(({ name }) => name.split(' ')[0] ?? '');
  const near = known.map((name) => ({ name, typos: typosBetween(name, word) }));
  const [best] = near.sort((a, b) => a.typos - b.typos);
  return best && best.typos <= (best.name.length < LONG_WORD ? 1 : MAX_TYPOS) ? best.name : undefined;
}

/** Letters that are too many, too few or wrong: the distance of Levenshtein. */
function typosBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? Infinity;
}
