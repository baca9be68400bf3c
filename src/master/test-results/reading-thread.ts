import type { TestResult } from '../../model/test-result.ts';

/** What the thread that reads one file is started with. */
export interface ReadingData {
  readonly file: string;
  readonly format: TestFormat;
}

export type TestFormat = 'junit' | 'tap';

/** The thread sends results and goes on when it is told to; its last word is `end`. */
export type FromReading =
  | { readonly type: 'results'; readonly results: readonly TestResult[] }
  /** `problem`: what is wrong with the file. */
  | { readonly type: 'end'; readonly problem?: string };
