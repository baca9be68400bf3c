import type { BuilderShape, ConfigShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { LockAccess, LockClaim, LockOwner, LockShape, LockTake, LockWait } from '../../model/lock.ts';

/** A worker as the queue sees it. */
export interface QueueWorker {
  readonly isConnected: boolean;
  /** Since when it is connected, or not; absent = never seen. */
  readonly sinceMs?: number;
  /** Builds that sit there now, also while it is away. */
  readonly running: number;
  /** Why it is given no builds, for people; absent: it is given some. */
  readonly held?: string;
  /** So many may still be given; absent: any number. */
  readonly buildsLeft?: number;
  /** When a build began there last; known where starts are spaced. */
  readonly startedAtMs?: number;
}

/** A build that runs, as the queue sees it. */
export interface QueueBuild {
  readonly id: number;
  readonly number: number;
  readonly project: string;
  readonly builder: string;
  /** The build that waits for it. */
  readonly parent?: number;
}

/** Why a request is not looked at, or not on some worker, for people; it is asked again then, or when something wakes the queue. */
export interface Hold {
  readonly text: string;
  readonly untilMs?: number;
}

/** All that the choice depends on. */
export interface QueueState {
  /** In any order. */
  readonly requests: readonly BuildRequest[];
  readonly workers: ReadonlyMap<string, QueueWorker>;
  /** `project/builder` → the worker of its newest build. */
  readonly lastUsed: ReadonlyMap<string, string>;
  /** Requests that wait for something else than workers and locks, by their ids. */
  readonly holds: ReadonlyMap<number, Hold>;
  /** By request, what it asks for instead of what its builder says; absent: nobody does. One list for all that ask alike. */
  readonly ownLocks?: ReadonlyMap<number, readonly LockAccess[]>;
  /** `REQUEST WORKER` or `PROJECT/BUILDER WORKER`: that request, or none of that builder, is for that worker now. */
  readonly vetoes: ReadonlyMap<string, Hold>;
  /** Those that run, by their ids. */
  readonly builds: ReadonlyMap<number, QueueBuild>;
  readonly claims: readonly LockClaim[];
  readonly waits: readonly LockWait[];
  /** Locks that the configuration has no more, as running builds know them, by name. */
  readonly formerLocks: ReadonlyMap<string, LockShape>;
  readonly config: ConfigShape;
  readonly nowMs: number;
  /** When a worker may be given more by the passing of time alone; absent: that is not waited for. */
  readonly wakeAtMs?: number;
}

export interface Pair {
  readonly request: BuildRequest;
  readonly worker: string;
  readonly builder: BuilderShape;
  /** Workers that it might go to as well; known when its builder has a `nextWorker`. */
  readonly choices?: readonly string[];
  /** What its build takes of locks. */
  readonly locks: readonly LockTake[];
}

/** A waiting step that may have all its locks now. */
export interface Grant {
  readonly owner: Required<LockOwner>;
  readonly locks: readonly LockTake[];
}

/**
 * Who would wait for itself if it went on to wait, and the whole circle as a sentence. It stays until somebody ends it: found in
 * two readings, one after the other, it was there between them, though no reading is of one moment.
 */
export interface Cycle {
  readonly owner: Required<LockOwner> | { readonly requestId: number };
  readonly text: string;
}

export interface Choice {
  readonly pairs: readonly Pair[];
  readonly grants: readonly Grant[];
  readonly cycles: readonly Cycle[];
  /** Why each of the other requests waits, for a person; by request id. */
  readonly reasons: ReadonlyMap<number, string>;
  /** Why each of the steps that go on to wait for their locks does so; by build id. */
  readonly stepReasons: ReadonlyMap<number, string>;
}
