import type { LockMode, LockScope } from '../../model/lock.ts';

/** The documented, stable JSON of `locks --json`, a lock each. */
export interface LockView {
  readonly name: string;
  readonly scope: LockScope;
  /** The configuration asks for it no more; builds that began before do. */
  readonly isGone: boolean;
  /** The farm, or each worker or host on which somebody holds it. */
  readonly places: readonly LockPlaceView[];
  /** In their order. */
  readonly waiters: readonly LockWaiterView[];
}

export interface LockPlaceView {
  /** `farm/NAME`, `worker/NAME/WORKER` or `host/NAME/HOST`. */
  readonly key: string;
  /** The worker or host; null: the farm. */
  readonly place: string | null;
  readonly slots: number;
  /** Slots in use; what a build borrows of the one that waits for it counts once. */
  readonly used: number;
  /** The longest held first. */
  readonly holders: readonly LockHolderView[];
}

/** All names are null of what the asker may not see. */
interface LockParty {
  /** Null also of a request that waits. */
  readonly build: number | null;
  readonly project: string | null;
  readonly builder: string | null;
  readonly number: number | null;
  /** The step's name; null: it is for the whole build. */
  readonly step: string | null;
  readonly mode: LockMode;
  readonly units: number;
  readonly sinceMs: number;
}

export type LockHolderView = LockParty;

export interface LockWaiterView extends LockParty {
  /** Null of a step, whose build runs. */
  readonly request: number | null;
  /** The worker of a step's build. */
  readonly worker: string | null;
  /** What it waits for, for people. */
  readonly waitsFor: string | null;
}
