import { stateless } from './observe.ts';
import { isSuppressed } from './suppressions.ts';
import type { Suppression, Warning } from './suppressions.ts';

/** Says of a line of output whether it is a warning; of one that is, what of. */
export type WarningFunction = (line: string) => Partial<Warning> | boolean | undefined | null;

/** What gcc, clang, ld, rustc, make and MSVC print: `hello.c:3:7: warning: unused variable`. */
export const WARNING = /(?:^|[\s)])warning(?: [A-Z]+\d+)?: /i;
/** What stands before it: `hello.c:3:7:`, `hello.c:3:`, `hello.c(3):`. */
const PLACE = /^\s*([^\s:()][^:()]*)(?::(\d+)|\((\d+)(?:,\d+)?\))/;
/** Their time grows with the line, whatever is in it: all farms' code shares one thread. */
const ENTERING = /^(?=\S*make)\S+: Entering directory [`'"](.*)['`"]/;
const LEAVING = /^(?=\S*make)\S+: Leaving directory/;
/** Of those that make has entered and not left, the last. */
const MOST_FOLDERS = 100;
/** Of the lines that are warnings so much is kept for the log; all are counted. */
const KEPT_CHARACTERS = 1024 * 1024;

/** Counts warnings in the output of one command, and keeps their lines. */
export class WarningReader {
  readonly #find: WarningFunction;
  readonly #suppressions: readonly Suppression[];
  readonly #folders: string[] = [];
  readonly #lines: string[] = [];
  #characters = 0;
  #count = 0;
  #suppressed = 0;

  constructor(warnings: RegExp | WarningFunction, suppressions: readonly Suppression[]) {
    this.#find = typeof warnings === 'function' ? warnings : findBy(warnings);
    this.#suppressions = suppressions.map(({ file, text, ...rest }) => ({
      ...(file && { file: stateless(file) }),
      ...(text && { text: stateless(text) }),
      ...rest,
    }));
  }

  get count(): number {
    return this.#count;
  }

  get suppressed(): number {
    return this.#suppressed;
  }

  read(line: string): void {
    const entered = ENTERING.exec(line)?.[1];
    if (entered !== undefined) this.#enter(entered);
    else if (LEAVING.test(line)) this.#folders.pop();
    const found = this.#find(line);
    if (found === undefined || found === null || found === false) return;
    const warning: Warning = { text: line, ...(found === true ? {} : found) };
    if (isSuppressed(this.#inFolder(warning), this.#suppressions)) {
      this.#suppressed += 1;
      return;
    }
    this.#count += 1;
    if (this.#characters + line.length > KEPT_CHARACTERS) return;
    this.#characters += line.length + 1;
    // A copy: a line may be a view of all the output that it came with.
    this.#lines.push(Buffer.from(line, 'utf8').toString('utf8'));
  }

  #enter(folder: string): void {
    this.#folders.push(folder);
    if (this.#folders.length > MOST_FOLDERS) this.#folders.shift();
  }

  /** Their lines, for a log. */
  get text(): string {
    const left = this.#count - this.#lines.length;
    const rest = left > 0 ? `[trunkline: ${left} more warnings are in the log of the command only]\n` : '';
    return this.#lines.map((line) => `${line}\n`).join('') + rest;
  }

  /** Make names the folder that it enters whole. */
  #inFolder(warning: Warning): Warning {
    const folder = this.#folders.at(-1);
    const { file } = warning;
    if (folder === undefined || file === undefined || file.startsWith('/')) return warning;
    return { ...warning, file: `${folder}/${file}` };
  }
}

/** Named groups `file`, `line` and `text` of the pattern are taken, otherwise what stands before the warning. */
function findBy(warnings: RegExp): WarningFunction {
  const pattern = stateless(warnings);
  return (line) => {
    const match = pattern.exec(line);
    if (!match) return undefined;
    const [, file, colon, bracket] = PLACE.exec(line) ?? [];
    const named = { file, line: colon ?? bracket, ...match.groups };
    return {
      ...(named.file !== undefined && { file: named.file }),
      ...(named.line !== undefined && { line: Number(named.line) }),
      ...(match.groups?.['text'] !== undefined && { text: match.groups['text'] }),
    };
  };
}
