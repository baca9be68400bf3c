import type { Cycle } from '../queue-state.ts';
import type { Ask } from '../../../model/key-units.ts';

/** An ask that could not be granted, and how many were ahead of it. */
export interface Blocked {
  readonly ask: Ask;
  readonly ahead: number;
}

/** What waits for nothing but locks, in a walk along the queue. */
export interface LockWaiter {
  readonly owner: Cycle['owner'];
  readonly project: string;
  /** The build that waits, and those that wait for it; nobody waits for most requests. */
  readonly line: readonly number[];
  /** Any of these would do: a request may go to several workers. */
  readonly choices: readonly (readonly Ask[])[];
  /** What is reserved for it. */
  readonly kept: readonly Ask[];
  /** Those of `kept` that it could not have. */
  readonly blocked: readonly Blocked[];
  readonly sinceMs: number;
}
