import type { Json } from './json.ts';

/**
 * The record of one call that a step made: of its worker (run, mkdir, …) or of the master (now, once, setProperty, …).
 * `key` is its place in the step: ordinals from 1, branches of `parallel` by name: `3`, `4.left.1`.
 */
export interface CommandRecord {
  /** `UID.STEP.KEY`: also its name on the worker. */
  readonly id: string;
  readonly buildId: number;
  readonly step: number;
  readonly key: string;
  readonly kind: string;
  /** What was asked, to be compared on replay. */
  readonly call: Json;
  readonly state: 'started' | 'finished';
  /** The worker's install that said it had claimed the command: if that one holds it no more, nobody starts it again. */
  readonly seenBy?: string;
  /** The answer the step's function was given. */
  readonly answer?: Json;
  /** Position in the order in which the step's answers were delivered. */
  readonly answeredAs?: number;
}
