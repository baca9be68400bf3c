import { uptime } from 'node:os';

/** What can be cancelled: a timer, a subscription. Calling it twice does nothing more. */
export type Cancel = () => void;

/**
 * Time as the rest of the program sees it, so that tests may turn it by hand.
 * All times are milliseconds.
 */
export interface Clock {
  /** Wall clock, UTC milliseconds since 1970; may jump. For what is stored and shown. */
  now(): number;
  /** Never goes back; its zero means nothing. For measuring and for deadlines inside one process. */
  monotonic(): number;
  /** Since the machine's start, its sleep included, in whole milliseconds. For time that counts whatever stands still meanwhile. */
  sinceBoot(): number;
  /** Calls `fn` once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, fn: () => void): Cancel;
}

/** Node's timers fire at once for a longer delay, with a warning. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sinceBoot: () => Math.round(uptime() * 1_000),
  after(delayMs, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS));
    timer.unref();
    return () => {
      // Node keeps the empty list of a cancelled timer that is not referenced, one list a duration, until that has passed.
      timer.ref();
      clearTimeout(timer);
    };
  },
};
