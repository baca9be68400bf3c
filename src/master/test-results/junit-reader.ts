import sax from 'sax';
import type { SAXOptions, SAXParser, Tag } from 'sax';
import { DETAIL_CHARACTERS, NAME_CHARACTERS } from '../../model/test-result.ts';
import type { TestResult, TestState } from '../../model/test-result.ts';
import { TestFileError } from './test-file-error.ts';
import type { TestReader, TestSink } from './test-reader.ts';

/** Of an attribute (a message may be long), and of a piece in which long text comes. */
const BUFFER_CHARACTERS = 4 * 1024 * 1024;
/** Real ones have five. */
const MOST_DEPTH = 100;
const MOST_ATTRIBUTES = 1_000;

/** What an element within a test case says of it; the worst of several counts. */
const STATES: Readonly<Record<string, TestState>> = { failure: 'failed', error: 'error', skipped: 'skipped' };
const WORST: readonly TestState[] = ['passed', 'skipped', 'failed', 'error'];
/** GoogleTest and others say so of what was not run. */
const NOT_RUN: readonly string[] = ['notrun', 'disabled', 'skipped'];

interface OpenSuite {
  readonly name: string;
  /** The names of those that it is in, and its own; no longer than what tells that it is cut. */
  readonly path: string;
}

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
  readonly #suites: OpenSuite[] = [];
  #attributes = 0;
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
    parser.onattribute = () => this.#countAttribute();
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

  #countAttribute(): void {
    this.#attributes += 1;
    if (this.#attributes > MOST_ATTRIBUTES)
      throw new TestFileError(`one of its elements has more than ${MOST_ATTRIBUTES} attributes`);
  }

  #open({ name, attributes }: Tag): void {
    this.#attributes = 0;
    if (this.#path.length === 0 && name !== 'testsuites' && name !== 'testsuite') {
      throw new TestFileError(`its root is <${name.slice(0, 50)}>, not <testsuites> or <testsuite>`);
    }
    if (this.#path.length === MOST_DEPTH)
      throw new TestFileError(`its elements are nested more than ${MOST_DEPTH} deep`);
    this.#hasRoot = true;
    this.#path.push(name);
    if (name === 'testsuite') this.#suites.push(openSuite(this.#suites.at(-1), attributes['name'] ?? ''));
    else if (name === 'testcase') this.#case = openCase(this.#suites.at(-1), attributes);
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

function openSuite(parent: OpenSuite | undefined, name: string): OpenSuite {
  const path = [parent?.path ?? '', name].filter((one) => one !== '').join(' / ');
  return { name, path: path.slice(0, NAME_CHARACTERS + 1) };
}

function openCase(suite: OpenSuite | undefined, { name = '', classname, time, status }: Tag['attributes']): OpenCase {
  const isNamed = classname === undefined || classname === '' || classname === suite?.name;
  return {
    suite: suite?.path ?? '',
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
