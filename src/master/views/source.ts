import type { SentChange } from './change.ts';

/** A repository that the master polls: the documented, stable JSON of `poll --json`. */
export interface SourceView {
  readonly url: string;
  /** Those that it is the source of. */
  readonly projects: readonly string[];
  readonly everyMs: number;
  readonly isPolling: boolean;
  readonly polledAtMs: number | null;
  /** Null while it is polled. */
  readonly nextAtMs: number | null;
  /** Why it could not be polled the last time. */
  readonly error: string | null;
  readonly errorSinceMs: number | null;
  /** What the master's copy of it takes on disk. */
  readonly mirrorBytes: number;
}

/** A change that a poll has found, new or known. */
export interface PolledChange extends SentChange {
  readonly project: string;
}

/** What came of a poll that somebody wanted: the JSON of `poll PROJECT --json`. */
export interface PolledView {
  readonly url: string;
  readonly changes: readonly PolledChange[];
  /** So many commits more nobody is told of. */
  readonly leftOut: number;
}
