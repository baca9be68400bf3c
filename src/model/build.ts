import type { Parent, RetryCause } from './build-request.ts';
import type { Json } from './json.ts';
import type { Result } from './result.ts';
import type { SourceStamp } from './source-stamp.ts';

/** A build. `id` counts over the farm, `number` within its builder; `uid` is unlike any other build's for ever. */
export interface Build {
  readonly id: number;
  readonly uid: string;
  readonly number: number;
  readonly requestId: number;
  readonly buildSetId: number;
  readonly project: string;
  readonly builder: string;
  /** What it is shown as besides. */
  readonly virtualBuilder?: string;
  readonly worker: string;
  /** The seat it has on its worker. */
  readonly session: string;
  readonly fence: number;
  readonly configHash: string;
  readonly state: 'running' | 'finished';
  readonly result?: Result;
  /** A line for people: why it was stopped, what was exceptional. */
  readonly summary?: string;
  readonly stopReason?: string;
  /** Its request is tried again for this. */
  readonly retryCause?: RetryCause;
  readonly reason: string;
  readonly owner: string;
  readonly scheduler?: string;
  /** What whoever asked calls its build set elsewhere. */
  readonly externalId?: string;
  readonly source: SourceStamp;
  readonly parent?: Parent;
  readonly startedAtMs: number;
  readonly finishedAtMs?: number;
}

/** Its builder's `canStartBuild` is asked: it has no number yet, and may be given back. */
export function isBeingChecked({ number }: Pick<Build, 'number'>): boolean {
  return number < 0;
}

export interface Step {
  readonly buildId: number;
  /** From 0, in the order of the build. */
  readonly index: number;
  readonly name: string;
  readonly state: 'pending' | 'running' | 'finished';
  readonly result?: Result;
  readonly summary?: string;
  /** What it says of itself. */
  readonly description?: string;
  /** It has ended and is not worth a look. */
  readonly isHidden?: true;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  /** Since when it waits, or waited, for its locks; absent: it has none, or has not asked for them. */
  readonly lockWaitSinceMs?: number;
  /** So long it waited for them; absent while it waits. */
  readonly lockWaitMs?: number;
}

/** A property and where it came from. */
export interface Property {
  readonly name: string;
  readonly value: Json;
  readonly source: string;
}
