import type { TestResult } from '../../model/test-result.ts';

/** What the process that reads one file is started with, as JSON. */
export interface ReadingData {
  readonly file: string;
  readonly format: TestFormat;
}

export type TestFormat = 'junit' | 'tap';

/** The process sends results and goes on when it is told to; its last word is `end`, upon which it waits to be ended. */
export type FromReading =
  | { readonly type: 'results'; readonly results: readonly TestResult[] }
  /** `problem`: what is wrong with the file. */
  | { readonly type: 'end'; readonly problem?: string };
