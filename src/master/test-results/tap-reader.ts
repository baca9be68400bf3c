import { DETAIL_CHARACTERS } from '../../model/test-result.ts';
import type { TestResult } from '../../model/test-result.ts';
import { tapLine } from './tap-line.ts';
import type { TapLine } from './tap-line.ts';
import { TestFileError } from './test-file-error.ts';
import type { TestReader, TestSink } from './test-reader.ts';

const INDENT = 4;
/** What is longer is no line of TAP; its rest is passed over. */
const LINE_CHARACTERS = 64 * 1024;
const MOST_DEPTH = 100;
/** Of a subtest whose name is told only at its end, so many results wait for it; those after them go without. */
const MOST_WAITING = 1_000;

/** One level of tests: the file, or a subtest. */
interface Level {
  name: string | undefined;
  /** Told before the subtest that it is of begins. */
  nextName: string | undefined;
  planned: number | undefined;
  seen: number;
  failed: number;
  /** The last point, until it is known whether a block of details follows. */
  last: TestResult | undefined;
  /** Those that wait for the level's name. */
  waiting: TestResult[];
}

/**
 * Reads TAP 13 and 14: plans, directives, details in YAML, subtests of any depth, which become suites. Text that is no TAP is passed
 * over: a program's output may hold both. That the plan was not kept, or the run bailed out, is thrown at the end.
 */
export class TapReader implements TestReader {
  readonly #sink: TestSink;
  readonly #levels: Level[] = [newLevel('')];
  #rest = '';
  #isTooLong = false;
  /** The block under way: where it is indented to, and its text. */
  #block: { readonly indent: number; text: string } | undefined;
  #bail: string | undefined;

  constructor(sink: TestSink) {
    this.#sink = sink;
  }

  write(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!this.#isTooLong) this.#line(line.endsWith('\r') ? line.slice(0, -1) : line);
      this.#isTooLong = false;
    }
    if (this.#rest.length > LINE_CHARACTERS) {
      this.#rest = '';
      this.#isTooLong = true;
    }
  }

  end(): void {
    this.write('\n');
    if (this.#block) this.#endBlock(this.#block.text);
    while (this.#levels.length > 1) this.#closeLevel('not ended', true);
    const top = this.#top();
    this.#give(top);
    if (this.#bail !== undefined) throw new TestFileError(`it bailed out${this.#bail && `: ${this.#bail}`}`);
    if (top.planned === undefined) {
      throw new TestFileError(
        top.seen === 0 ? 'there is no TAP in it' : 'it has no plan: the run may have been cut off',
      );
    }
    if (top.planned !== top.seen) throw new TestFileError(`${top.planned} tests were planned, ${top.seen} ran`);
  }

  #top(): Level {
    return this.#levels.at(-1) ?? newLevel('');
  }

  #line(line: string): void {
    if (this.#bail !== undefined || this.#isInBlock(line)) return;
    const text = line.trimStart();
    if (text === '') return;
    const depth = Math.floor((line.length - text.length) / INDENT);
    const said = tapLine(text);
    if (said.kind === 'bail') this.#bail = said.reason;
    if (said.kind !== 'other' && said.kind !== 'bail') this.#take(said, depth);
  }

  #isInBlock(line: string): boolean {
    const block = this.#block;
    if (block) {
      if (line.trim() === '...') this.#endBlock(block.text);
      else if (block.text.length < DETAIL_CHARACTERS) block.text += `${line.slice(block.indent)}\n`;
      return true;
    }
    const indent = line.length - line.trimStart().length;
    if (line.trim() !== '---' || indent !== (this.#levels.length - 1) * INDENT + 2) return false;
    this.#block = { indent, text: '' };
    return true;
  }

  #endBlock(text: string): void {
    this.#block = undefined;
    const top = this.#top();
    if (!top.last) return;
    const message = field(text, 'message') ?? field(text, 'error');
    const durationMs = Number(field(text, 'duration_ms') ?? Number.NaN);
    top.last = {
      ...top.last,
      ...(durationMs >= 0 && { durationMs: Math.round(durationMs) }),
      ...(top.last.state === 'failed' && { detail: text, ...(message !== undefined && { message }) }),
    };
  }

  #take(said: Exclude<TapLine, { readonly kind: 'bail' | 'other' }>, depth: number): void {
    const current = this.#levels.length - 1;
    if (said.kind === 'subtest') return this.#nameNext(said.name, depth);
    if (depth > current + 1 || (depth === current + 1 && depth > MOST_DEPTH)) return;
    if (depth === current + 1) this.#openLevel();
    while (this.#levels.length - 1 > depth + 1) this.#closeLevel('', true);
    if (said.kind === 'plan') {
      if (this.#levels.length - 1 > depth) this.#closeLevel('', true);
      this.#plan(said);
    } else this.#point(said, depth);
  }

  /** The comment stands before its subtest, as far in as the parent (TAP 14, Node) or as the subtest (Perl). */
  #nameNext(name: string, depth: number): void {
    const current = this.#levels.length - 1;
    if (depth === current + 1 && this.#top().nextName !== undefined && depth <= MOST_DEPTH) this.#openLevel();
    const level = this.#levels[Math.min(depth, this.#levels.length - 1)];
    if (level) level.nextName = name === '' ? undefined : name;
  }

  #openLevel(): void {
    const parent = this.#top();
    this.#give(parent);
    this.#levels.push(newLevel(parent.nextName));
    parent.nextName = undefined;
  }

  #plan({ count, reason }: Extract<TapLine, { readonly kind: 'plan' }>): void {
    const top = this.#top();
    top.planned ??= count;
    if (count > 0 || top.seen > 0 || reason === undefined) return;
    // All of it was skipped, and this is all that is told of it.
    this.#emit({ suite: '', name: '(all)', state: 'skipped', message: reason.replace(/^skip\S*\s*/i, '') });
  }

  #point({ name, state, reason }: Extract<TapLine, { readonly kind: 'point' }>, depth: number): void {
    const hasSubtest = this.#levels.length - 1 > depth;
    const isTold = hasSubtest && this.#closeLevel(name, false);
    const top = this.#top();
    this.#give(top);
    top.seen += 1;
    top.nextName = undefined;
    if (state === 'failed') top.failed += 1;
    // What its own tests tell is not told twice: only a failure that none of them shows.
    if (hasSubtest && (state !== 'failed' || isTold)) return;
    const shown = name === '' ? `test ${top.seen}` : name;
    top.last = { suite: '', name: shown, state, ...(reason !== undefined && { message: reason }) };
  }

  /** Ends the innermost subtest; true when its tests tell that it failed. `isCutOff`: its own point did not come. */
  #closeLevel(name: string, isCutOff: boolean): boolean {
    const level = this.#top();
    this.#give(level);
    level.name ??= name === '' ? '(subtest)' : name;
    const waiting = level.waiting.splice(0);
    if (isCutOff) waiting.push({ suite: '', name: '(end)', state: 'error', message: 'it has no end' });
    for (const result of waiting) this.#emit(result);
    this.#levels.pop();
    this.#top().failed += level.failed > 0 ? 1 : 0;
    return level.failed > 0;
  }

  #give(level: Level): void {
    const { last } = level;
    level.last = undefined;
    if (last) this.#emit(last);
  }

  /** Of the innermost level. */
  #emit(result: TestResult): void {
    const unnamed = this.#levels.findLast(({ name }) => name === undefined);
    if (unnamed && unnamed.waiting.length < MOST_WAITING) {
      const inner = this.#levels.slice(this.#levels.indexOf(unnamed) + 1);
      unnamed.waiting.push({ ...result, suite: joined([...inner.map(({ name = '' }) => name), result.suite]) });
      return;
    }
    const names = this.#levels.map(({ name = '(subtest)' }) => name);
    this.#sink({ ...result, suite: joined([...names, result.suite]) });
  }
}

function newLevel(name: string | undefined): Level {
  return { name, nextName: undefined, planned: undefined, seen: 0, failed: 0, last: undefined, waiting: [] };
}

function joined(names: readonly string[]): string {
  return names.filter((name) => name !== '').join(' / ');
}

/** A plain value of the block's first level; a text in quotes without them. */
function field(yaml: string, name: string): string | undefined {
  const value = new RegExp(`^${name}:[ \\t]*(\\S.*)$`, 'm').exec(yaml)?.[1]?.trim();
  return value === undefined || /^[|>][+-]?$/.test(value) ? undefined : value.replace(/^(["'])(.*)\1$/, '$2');
}
