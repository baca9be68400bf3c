import type { Clock } from './clock.ts';

/** A point of time as two clocks tell it: what one does not know of, the other may. Milliseconds. */
export interface Moment {
  /** Since the machine's start, its sleep included. */
  readonly bootMs: number;
  /** UTC since 1970. */
  readonly wallMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { bootMs: clock.sinceBoot(), wallMs: clock.now() };
}
