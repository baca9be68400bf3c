import sax from 'sax';
import type { SAXOptions, SAXParser, Tag } from 'sax';
import { DETAIL_CHARACTERS } from '../../model/test-result.ts';
import type { TestResult, TestState } from '../../model/test-result.ts';
import { TestFileError } from './test-file-error.ts';
import type { TestReader, TestSink } from './test-reader.ts';

/** Of an attribute (a message may be long), and of a piece in which long text comes. */
const BUFFER_CHARACTERS = 4 * 1024 * 1024;
/** Real ones have five. */
const MOST_DEPTH = 100;

/** What an element within a test case says of it; the worst of several counts. */
const STATES: Readonly<Record<string, TestState>> = { failure: 'failed', error: 'error', skipped: 'skipped' };
const WORST: readonly TestState[] = ['passed', 'skipped', 'failed', 'error'];
/** GoogleTest and others say so of what was not run. */
const NOT_RUN: readonly string[] = ['notrun', 'disabled', 'skipped'];

interface OpenCase {
  readonly suite: string;
  readonly name: string;
  readonly durationMs: number | undefined;
  state: TestState;
  message: string | undefined;
  detail: string;
}

/**
 * Reads the XML that JUnit's Ant task began and all test runners write: `testsuites`, `testsuite` in each other, `testcase` with
 * `failure`, `error`, `skipped`. Anything else in it is passed over. No DTD: the five entities and characters by number are all that
 * there is. Each result is given as its case ends; memory does not grow with the file.
 */
export class JunitReader implements TestReader {
  readonly #parser: SAXParser;
  readonly #sink: TestSink;
  readonly #path: string[] = [];
  readonly #suites: string[] = [];
  #case: OpenCase | undefined;
  /** Inside of what tells the state of a case. */
  #isTelling = false;
  #hasRoot = false;

  constructor(sink: TestSink) {
    this.#sink = sink;
    const options: SAXOptions & { readonly strictEntities: boolean } = { strictEntities: true };
    const parser = sax.parser(true, options);
    this.#parser = parser;
    parser.onerror = (error) => this.#onError(error);
    parser.ondoctype = () => {
      throw new TestFileError('it has a DTD (<!DOCTYPE …>), which results of tests have no use for');
    };
    parser.onopentag = (tag) => this.#open(tag as Tag);
    parser.onclosetag = (name) => this.#close(name);
    parser.ontext = parser.oncdata = (text) => this.#addText(text);
  }

  write(text: string): void {
    this.#parser.write(text);
  }

  end(): void {
    this.#parser.close();
    if (!this.#hasRoot) throw new TestFileError('it is empty');
  }

  #onError({ message }: Error): void {
    const { parser, entity } = { parser: this.#parser, entity: (this.#parser as { readonly entity?: string }).entity };
    const what = message.split('\n', 1)[0] ?? '';
    // Many write the escapes of coloured output by number, which XML forbids: they stay as they are written.
    if (what.startsWith('Invalid character entity') && entity?.startsWith('#')) return void parser.resume();
    throw new TestFileError(`it is no well-formed XML at line ${parser.line + 1}, column ${parser.column}: ${what}`);
  }

  #open({ name, attributes }: Tag): void {
    if (this.#path.length === 0 && name !== 'testsuites' && name !== 'testsuite') {
      throw new TestFileError(`its root is <${name.slice(0, 50)}>, not <testsuites> or <testsuite>`);
    }
    if (this.#path.length === MOST_DEPTH)
      throw new TestFileError(`its elements are nested more than ${MOST_DEPTH} deep`);
    this.#hasRoot = true;
    this.#path.push(name);
    if (name === 'testsuite') this.#suites.push(attributes['name'] ?? '');
    else if (name === 'testcase') this.#case = openCase(this.#suites, attributes);
    else if (this.#case && this.#isIn('testcase')) this.#tell(this.#case, name, attributes);
  }

  #isIn(parent: string): boolean {
    return this.#path.at(-2) === parent;
  }

  #tell(open: OpenCase, name: string, { message }: Tag['attributes']): void {
    const state = STATES[name];
    if (state === undefined) return;
    this.#isTelling = true;
    if (WORST.indexOf(state) > WORST.indexOf(open.state)) {
      open.state = state;
      open.message = message ?? '';
    }
    if (open.detail !== '') open.detail += '\n';
  }

  #addText(text: string): void {
    if (!this.#case || !this.#isTelling) return;
    const room = DETAIL_CHARACTERS + 1 - this.#case.detail.length;
    if (room > 0) this.#case.detail += text.slice(0, room);
  }

  #close(name: string): void {
    this.#path.pop();
    if (name === 'testsuite') this.#suites.pop();
    else if (name === 'testcase' && this.#case) {
      this.#sink(resultOf(this.#case));
      this.#case = undefined;
    } else if (this.#path.at(-1) === 'testcase') this.#isTelling = false;
  }
}

/** In the thread that reads, nothing else uses the parser: the limit is the library's own, for all of them. */
Object.assign(sax, { MAX_BUFFER_LENGTH: BUFFER_CHARACTERS });

function openCase(suites: readonly string[], { name = '', classname, time, status }: Tag['attributes']): OpenCase {
  const suite = suites.filter((one) => one !== '').join(' / ');
  const isNamed = classname === undefined || classname === '' || classname === suites.at(-1);
  return {
    suite,
    name: isNamed ? name : `${classname}.${name}`,
    durationMs: milliseconds(time),
    state: status !== undefined && NOT_RUN.includes(status.toLowerCase()) ? 'skipped' : 'passed',
    message: undefined,
    detail: '',
  };
}

function resultOf({ suite, name, durationMs, state, message, detail }: OpenCase): TestResult {
  const text = detail.trim();
  // Without an attribute, the first line of the text is what there is to say in one.
  const line = (message || text).trim().split('\n', 1)[0] ?? '';
  return {
    suite,
    name,
    state,
    ...(durationMs !== undefined && { durationMs }),
    ...(line !== '' && { message: line }),
    ...(text !== '' && { detail: text }),
  };
}

/** `1.25`, `1,234.5` in seconds; what is no such number is left out. */
function milliseconds(seconds: string | undefined): number | undefined {
  if (seconds === undefined || !/^\s*\d[\d,]*(?:\.\d+)?(?:e-?\d+)?\s*$/i.test(seconds)) return undefined;
  const ms = Math.round(Number(seconds.replaceAll(',', '')) * 1_000);
  return Number.isSafeInteger(ms) ? ms : undefined;
}
