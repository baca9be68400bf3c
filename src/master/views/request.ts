import type { JsonObject } from '../../model/json.ts';
import type { Parameter } from '../../model/parameter.ts';
import type { Result } from '../../model/result.ts';
import type { BuildView } from './build.ts';

export interface RequestView {
  readonly id: number;
  readonly project: string;
  readonly builder: string;
  readonly owner: string;
  /** By whose word it was made; null: none of the project's schedulers. */
  readonly scheduler: string | null;
  /** What whoever asked calls its build set elsewhere. */
  readonly externalId: string | null;
  readonly submittedAtMs: number;
  /** Its newest build, whose result was `retry`; null when it has had none. */
  readonly retryOf: number | null;
  /** Why it waits, for a person. */
  readonly waitsFor: string;
}

/** The build that a person wants. */
export interface ForceWish {
  readonly branch?: string;
  readonly revision?: string;
  readonly properties: JsonObject;
  readonly reason?: string;
  readonly externalId?: string;
  /** Of the force schedulers, where several have the builder. */
  readonly scheduler?: string;
  /** Of the builder's workers only this one. */
  readonly worker?: string;
  /** Operator. Instead of the scheduler's. */
  readonly priority?: number;
}

/** What a force scheduler asks of whoever forces a build; the documented, stable JSON of `parameters --json`. */
export interface ForceForm {
  readonly project: string;
  readonly scheduler: string;
  readonly isReasonRequired: boolean;
  /** null: any property may be given. */
  readonly parameters: readonly Parameter[] | null;
  /** The workers that may be asked for. */
  readonly workers: readonly string[];
}

/** How a build is wanted again. */
export interface RebuildWish {
  /** Of the newest revision of its branch, instead of what it was of. */
  readonly isLatest: boolean;
  /** With all that was asked for together with it. */
  readonly isWholeSet: boolean;
  readonly reason?: string;
}

/** The documented, stable JSON of `queue --json`. */
export interface QueuedView extends RequestView {
  /** From 1; the farm's, whoever asks. */
  readonly position: number;
  readonly priority: number;
  readonly ageMs: number;
  readonly buildSet: number;
  /** The older requests that were collapsed into it. */
  readonly collapsed: readonly number[];
  /** When it is given up; null: never. */
  readonly deadlineMs: number | null;
  readonly branch: string | null;
  readonly revision: string | null;
}

/** The documented, stable JSON of `approve-build --json`. */
export interface ApprovalView {
  readonly project: string;
  readonly revision: string;
  /** Those that waited for it. */
  readonly requests: readonly number[];
}

export interface Cause {
  readonly code:
    /** A request: what it waits for; one of its builds is retried; what it is built in place of; when it is given up; others go first. */
    | 'queue'
    | 'retry'
    | 'collapsed'
    | 'deadline'
    | 'behind'
    /** A running build: what holds it up, what it does, when that is ended. */
    | 'worker-away'
    | 'held-back'
    | 'stopping'
    | 'locks'
    | 'step'
    /** A running build: what it triggered and waits for. */
    | 'child'
    | 'limit'
    | 'between-steps'
    | 'ended';
  /** A sentence for people. */
  readonly text: string;
  /** Whose project it tells of, when that is another than the build's. */
  readonly project?: string;
}

/** The documented, stable JSON of `why --json`. */
export interface WhyView {
  readonly request: number;
  readonly build: number | null;
  readonly project: string;
  readonly builder: string;
  /** What whoever asked calls its build set elsewhere. */
  readonly externalId: string | null;
  readonly state: 'waiting' | 'running' | 'ended';
  readonly causes: readonly Cause[];
}

export type ForceProgress =
  | { readonly kind: 'queued'; readonly request: RequestView }
  | { readonly kind: 'waits'; readonly reason: string }
  | { readonly kind: 'build'; readonly build: BuildView }
  /** It has ended in the queue: no build of it is to come. */
  | { readonly kind: 'ended'; readonly result: Result; readonly reason: string | null };
