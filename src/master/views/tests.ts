import type { TestCounts, TestState } from '../../model/test-result.ts';

/** The documented, stable JSON of `tests --json`; `docs/operating.md` describes it. */
export interface TestsView {
  readonly build: number;
  readonly project: string;
  readonly builder: string;
  readonly number: number;
  /** Of all its tests, also those that are not listed or kept. */
  readonly counts: TestCounts;
  /** So many were counted and are not kept. */
  readonly leftOut: number;
  /** In the order in which they came. */
  readonly tests: readonly TestView[];
  /** So many come after these: those with a greater id than the last one's. */
  readonly more: number;
}

export interface TestView {
  readonly id: number;
  /** The step that brought it. */
  readonly step: string;
  readonly suite: string;
  readonly name: string;
  readonly state: TestState;
  /** It fails, and passed in the last build before of this builder and branch that has it. */
  readonly isNew: boolean;
  /** By its history on this branch it goes now one way and now the other. */
  readonly isFlaky: boolean;
  readonly durationMs: number | null;
  readonly message: string | null;
  readonly detail: string | null;
}

export interface TestsOfBuildWish {
  /** `failing`: failed and errors; `notable`: all that did not pass. */
  readonly which: 'failing' | 'notable' | 'all';
  /** Only those with a greater id. */
  readonly after: number;
  readonly limit: number;
}
