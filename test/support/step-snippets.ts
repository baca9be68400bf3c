import { readFile } from 'node:fs/promises';
import { RESULTS } from '../../src/model/result.ts';
import type { Result } from '../../src/model/result.ts';

/** A block of docs/steps.md that begins with `ts run`. */
export interface StepSnippet {
  /** Names its builder: the line in the file. */
  readonly line: number;
  /** The heading of level 2 that it stands under. */
  readonly section: string;
  /** The code stands for `steps`, or (`run builder`) for all options of the builder but `workers`. */
  readonly isBuilder: boolean;
  readonly code: string;
  /** What the build is to end as. */
  readonly result: Result;
}

const FILE = new URL('../../docs/steps.md', import.meta.url);
const BLOCK = /^## (?<heading>.*)$|^```ts run(?<words>.*)\n(?<code>[\s\S]*?)^```$/gm;

/** All of them, in their order. Throws when one asks for what no test does. */
export async function stepSnippets(): Promise<readonly StepSnippet[]> {
  const text = await readFile(FILE, 'utf8');
  const snippets: StepSnippet[] = [];
  let section = '';
  for (const { index, groups = {} } of text.matchAll(BLOCK)) {
    const { heading, words = '', code = '' } = groups;
    if (heading !== undefined) section = heading;
    else {
      const line = text.slice(0, index).split('\n').length;
      const wanted = words.split(' ').filter((word) => word !== '' && word !== 'builder');
      const [result = 'success', ...rest] = wanted;
      if (rest.length > 0 || !isResult(result)) throw new Error(`docs/steps.md:${line}: what is "${words.trim()}"?`);
      // Otherwise prettier would take it for a statement, and end it with a semicolon.
      if (!code.trimEnd().endsWith(',')) throw new Error(`docs/steps.md:${line}: end the last line with a comma`);
      snippets.push({ line, section, isBuilder: words.includes(' builder'), code, result });
    }
  }
  return snippets;
}

function isResult(word: string): word is Result {
  return RESULTS.some((result) => result === word);
}
