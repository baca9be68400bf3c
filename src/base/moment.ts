import type { Clock } from './clock.ts';

/** A point of time as two clocks tell it, for what must never seem more recent than it is. Milliseconds. */
export interface Moment {
  /** Since the machine's start, its sleep included. */
  readonly bootMs: number;
  /** UTC since 1970. */
  readonly wallMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { bootMs: clock.sinceBoot(), wallMs: clock.now() };
}

/**
 * From one moment to another of the same boot, in milliseconds: as the clock tells it that says more. A wall clock that was
 * set back hides nothing then, and one that was set forward counts: it may be all that a machine shows which was frozen from outside.
 */
export function elapsedMs(from: Moment, to: Moment): number {
  return Math.max(0, to.bootMs - from.bootMs, to.wallMs - from.wallMs);
}
