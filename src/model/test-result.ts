/** How a test ended. `error`: it could not be carried out as it was meant to, and counts as failing. */
export type TestState = 'passed' | 'failed' | 'error' | 'skipped';

/** What one test of a build did, as its runner tells it. */
export interface TestResult {
  /** Its suites from the outermost, joined by ` / `; empty: it is in none. */
  readonly suite: string;
  readonly name: string;
  readonly state: TestState;
  readonly durationMs?: number;
  /** In one line why it failed or was skipped. */
  readonly message?: string;
  /** The same at length. */
  readonly detail?: string;
}

export type TestCounts = {
  readonly passed: number;
  readonly failed: number;
  readonly errors: number;
  readonly skipped: number;
};

/** Of a name of a test, and of its suites joined. What is longer is cut. */
export const NAME_CHARACTERS = 500;
export const MESSAGE_CHARACTERS = 500;
export const DETAIL_CHARACTERS = 8 * 1024;

export const NO_TESTS: TestCounts = { passed: 0, failed: 0, errors: 0, skipped: 0 };

export function totalOf({ passed, failed, errors, skipped }: TestCounts): number {
  return passed + failed + errors + skipped;
}

export function isFailing(state: TestState): boolean {
  return state === 'failed' || state === 'error';
}

/** `3 of 120 failed, 2 skipped`; `118 passed, 2 skipped`. */
export function countsText(counts: TestCounts): string {
  const { passed, failed, errors, skipped } = counts;
  const total = totalOf(counts);
  const failing = failed + errors;
  const first = failing > 0 ? `${failing} of ${total} failed` : total === 0 ? 'no tests' : `${passed} passed`;
  return skipped > 0 ? `${first}, ${skipped} skipped` : first;
}

/** A result within its limits, with nothing in it that a database cannot hold as text. */
export function boundedResult({ suite, name, state, durationMs, message, detail }: TestResult): TestResult {
  return {
    suite: storable(suite, NAME_CHARACTERS),
    name: storable(name, NAME_CHARACTERS),
    state,
    ...(durationMs !== undefined && { durationMs }),
    ...(message !== undefined && { message: storable(message, MESSAGE_CHARACTERS) }),
    ...(detail !== undefined && { detail: storable(detail, DETAIL_CHARACTERS) }),
  };
}

function storable(text: string, characters: number): string {
  const cut = text.length <= characters ? text : `${text.slice(0, characters - 1)}…`;
  // A half of a pair may be what the cut left: in UTF-8 it is none.
  return Buffer.from(cut, 'utf8').toString('utf8').replaceAll('\0', '\ufffd');
}
