import type { Case } from './case.ts';
import { CASES } from './cases.ts';

export interface Options {
  readonly command: readonly string[];
  readonly cases: readonly Case[];
  readonly isList: boolean;
  readonly jobs: number;
  readonly patienceMs: number;
}

const DEFAULT_JOBS = 2;
/** Far more than a right answer takes, also on a busy machine. */
const DEFAULT_PATIENCE_MS = 20_000;

export const USAGE = `npm run conformance -- [--case C07]… [--list] [--jobs N] [--patience SECONDS] COMMAND…
  COMMAND starts the worker; {dir} {host} {port} {name} {key} {known_hosts} {host_key} {host_fingerprint} in its words are
  replaced, and its environment holds the same as TRUNKLINE_DIR and so on. See docs/conformance.md.`;

/** The options of `npm run conformance`; what follows them is the program and its words. */
export function parseOptions(words: readonly string[]): Options | { readonly mistake: string } {
  const ids = new Set<string>();
  let [isList, jobs, patienceMs] = [false, DEFAULT_JOBS, DEFAULT_PATIENCE_MS];
  let at = 0;
  for (; words[at]?.startsWith('--'); at++) {
    const word = words[at];
    if (word === '--list') isList = true;
    else if (word === '--case') ids.add(words[++at] ?? '');
    else if (word === '--jobs') jobs = Number(words[++at]);
    else if (word === '--patience') patienceMs = Number(words[++at]) * 1_000;
    else return { mistake: `${word} is no option` };
  }
  const unknown = Array.from(ids).find((id) => !CASES.some((one) => one.id === id));
  if (unknown !== undefined) return { mistake: `there is no case "${unknown}": --list names them` };
  if (!Number.isInteger(jobs) || jobs < 1) return { mistake: '--jobs wants a number from 1 on' };
  if (!(patienceMs > 0)) return { mistake: '--patience wants seconds' };
  const command = words.slice(at);
  if (command.length === 0 && !isList) return { mistake: 'name the program to test' };
  return { command, isList, jobs, patienceMs, cases: CASES.filter(({ id }) => ids.size === 0 || ids.has(id)) };
}
