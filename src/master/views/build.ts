import type { RetryCause } from '../../model/build-request.ts';
import type { Json } from '../../model/json.ts';
import type { TestCounts } from '../../model/test-result.ts';
import type { Result } from '../../model/result.ts';

/** The documented, stable JSON of `build --json`; `docs/operating.md` describes it. Times are UTC ms. */
export interface BuildView {
  readonly id: number;
  readonly project: string;
  readonly builder: string;
  /** What its properties have it shown as besides; null: nothing. */
  readonly virtualBuilder: string | null;
  readonly number: number;
  /** The request it was made for, the build set of that, and the older requests that were collapsed into it. */
  readonly request: number;
  readonly buildSet: number;
  readonly collapsed: readonly number[];
  /** Its request had an earlier build, whose result was `retry`. */
  readonly retryOf: number | null;
  /** Why its request is tried again; null when it is not. */
  readonly retryCause: RetryCause | null;
  /** Its result was `retry`, and this build was made in its place. */
  readonly retriedAs: number | null;
  readonly state: 'running' | 'finished';
  readonly result: Result | null;
  readonly summary: string | null;
  readonly worker: string;
  /** Of a running build whose worker is out of sight: since when, and when it is retried elsewhere; null: it waits. */
  readonly workerAway: { readonly sinceMs: number; readonly retryAtMs: number | null } | null;
  /** Why commands of its worker wait in the middle of their output; null when none does, or the build has ended. */
  readonly heldBack: string | null;
  readonly reason: string;
  readonly owner: string;
  /** By whose word it was made; null: none of the project's schedulers. */
  readonly scheduler: string | null;
  /** What whoever asked calls its build set elsewhere. */
  readonly externalId: string | null;
  readonly branch: string | null;
  readonly revision: string | null;
  /** A try build: the patch on top of the revision. */
  readonly patch: { readonly sha256: string; readonly bytes: number } | null;
  /** The build that somebody wanted again, which this is; and the builds that this was wanted again as, oldest first. */
  readonly rebuildOf: number | null;
  readonly rebuiltAs: readonly number[];
  /** The build that triggered it, if one did that the asker may read. */
  readonly parent: {
    readonly build: number;
    readonly project: string;
    readonly builder: string;
    readonly number: number;
    /** It waits for the end of this one. */
    readonly waits: boolean;
  } | null;
  /** What it has triggered, oldest first, as far as the asker may read it. */
  readonly children: readonly ChildView[];
  /** Its source is of a fork, and this is whose; null: it is trusted. */
  readonly untrustedOf: string | null;
  /** What it was made for, oldest first; empty when somebody asked for it. */
  readonly changes: readonly {
    readonly id: number;
    readonly branch: string;
    readonly revision: string;
    readonly author: string | null;
    /** The first line of its comments. */
    readonly subject: string;
    /** Where it can be looked at. */
    readonly revlink: string | null;
    readonly sentBy: string;
  }[];
  /** The authors of its changes. */
  readonly blame: readonly string[];
  readonly startedAtMs: number;
  readonly finishedAtMs: number | null;
  /** So long its steps waited for locks, also the one that still does. */
  readonly lockWaitMs: number;
  /** Of all its tests so far; null when it has brought no results. */
  readonly tests: TestCounts | null;
  readonly steps: readonly StepView[];
  readonly properties: readonly { readonly name: string; readonly value: Json; readonly source: string }[];
}

/** A request that a build has triggered. */
export interface ChildView {
  readonly request: number;
  readonly project: string;
  readonly builder: string;
  readonly state: 'waiting' | 'running' | 'ended';
  readonly result: Result | null;
  /** Its newest build; null when it has had none. */
  readonly build: number | null;
  /** The build waits for its end. */
  readonly isWaitedFor: boolean;
}

export interface StepView {
  readonly name: string;
  readonly state: 'pending' | 'running' | 'finished';
  readonly result: Result | null;
  readonly summary: string | null;
  /** What it says of itself. */
  readonly description: string | null;
  /** It has ended as its configuration says is not worth a look: left out for people who do not ask for all. */
  readonly isHidden: boolean;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  /** So long it waited for its locks, or waits so far; null: it has none, or has not begun. */
  readonly lockWaitMs: number | null;
  /** It waits for them: nothing of it runs. */
  readonly waitsForLocks: boolean;
  readonly logs: readonly {
    readonly id: number;
    readonly name: string;
    readonly length: number;
    readonly isComplete: boolean;
    /** Since when its bytes are kept no more; null: they are there. */
    readonly deletedAtMs: number | null;
  }[];
  readonly links: readonly { readonly name: string; readonly url: string }[];
}

export interface BuildsWish {
  readonly project?: string;
  readonly builder?: string;
  /** Builds of these projects are left out. */
  readonly without?: readonly string[];
  readonly limit: number;
}
