import type { PastResult } from '../model/test-history.ts';
import type { TestCounts, TestResult } from '../model/test-result.ts';

/** One call of a build that brings results of tests. */
export interface TestCall {
  /** The id of its record. */
  readonly command: string;
  readonly buildId: number;
  readonly step: number;
}

/** Whose history a test has: the same test elsewhere, or on another branch, is another one. */
export interface TestLane {
  readonly project: string;
  readonly builder: string;
  readonly branch: string | undefined;
  /** The build is of something that is on no branch (yet): it is told what the branch's builds did, and tells them nothing. */
  readonly isAside?: boolean;
}

/** What one call has brought in all. */
export interface TestReport extends TestCall {
  readonly counts: TestCounts;
  /** So many of them were counted and not kept. */
  readonly leftOut: number;
  /** What the build built, as far as it is known. */
  readonly revision?: string;
}

export interface KeptTest extends TestResult {
  readonly id: number;
  readonly step: number;
  /** The same in all builds of its lane. */
  readonly identity: string;
}

export interface TestsWish {
  /** `failing`: failed and errors; `notable`: all that did not pass. */
  readonly which: 'failing' | 'notable' | 'all';
  /** Only such with a greater id. */
  readonly after: number;
  readonly limit: number;
  /** Only those that this call brought. */
  readonly command?: string;
}

/** Results of tests. They go with their build. */
export interface TestResultStore {
  /** Adds results of a call, the first of which is its `from`th; those that are there stay as they are. */
  add(call: TestCall, lane: TestLane, from: number, results: readonly TestResult[]): Promise<void>;
  /** Tells that a call has brought all; again the same does nothing. */
  addReport(report: TestReport): Promise<void>;
  /** Of a build, in the order of their steps; of calls that have brought all. */
  reports(buildId: number): Promise<readonly TestReport[]>;
  /** Of a build, oldest first. */
  list(buildId: number, wish: TestsWish): Promise<readonly KeptTest[]>;
  /** How many of a build there are with a greater id. */
  count(buildId: number, which: TestsWish['which'], after: number): Promise<number>;
  /** What each of these tests did in this build and the last ones before that have it, newest first. */
  history(identities: readonly string[], buildId: number): Promise<ReadonlyMap<string, readonly PastResult[]>>;
}
