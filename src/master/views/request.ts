import type { Result } from '../../model/result.ts';
import type { BuildView } from './build.ts';

export interface RequestView {
  readonly id: number;
  readonly project: string;
  readonly builder: string;
  readonly owner: string;
  /** By whose word it was made; null: none of the project's schedulers. */
  readonly scheduler: string | null;
  readonly submittedAtMs: number;
  /** Its newest build, whose result was `retry`; null when it has had none. */
  readonly retryOf: number | null;
  /** Why it waits, for a person. */
  readonly waitsFor: string;
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
    | 'limit'
    | 'between-steps'
    | 'ended';
  /** A sentence for people. */
  readonly text: string;
}

/** The documented, stable JSON of `why --json`. */
export interface WhyView {
  readonly request: number;
  readonly build: number | null;
  readonly project: string;
  readonly builder: string;
  readonly state: 'waiting' | 'running' | 'ended';
  readonly causes: readonly Cause[];
}

export type ForceProgress =
  | { readonly kind: 'queued'; readonly request: RequestView }
  | { readonly kind: 'waits'; readonly reason: string }
  | { readonly kind: 'build'; readonly build: BuildView }
  /** It has ended in the queue: no build of it is to come. */
  | { readonly kind: 'ended'; readonly result: Result; readonly reason: string | null };
