import type { TestResult } from '../../model/test-result.ts';

/** Gets each result as soon as it is known, in the order of the file. */
export type TestSink = (result: TestResult) => void;

/** Reads one file of results as it comes; both methods throw a `TestFileError`. */
export interface TestReader {
  write(text: string): void;
  /** There is no more. */
  end(): void;
}
