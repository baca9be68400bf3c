import type { Clock } from '../base/clock.ts';

const FIRST_MS = 100;
const LONGEST_MS = 5_000;
const FORGET_AFTER_MS = 10 * 60_000;
const MOST_ENTRIES = 10_000;

/**
 * How long the answer to a failed login is held back: doubled with each failure of one address, name and key. An address is
 * never banned, since a whole farm may stand behind it.
 */
export class LoginPenalty {
  readonly #clock: Clock;
  /** In the order of their last failure, oldest first. */
  readonly #failures = new Map<string, { count: number; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a failure and answers the delay for it. */
  failed(address: string, name: string, key: string): number {
    const id = [address, name.slice(0, 64), key].join('\n');
    const nowMs = this.#clock.monotonic();
    const known = this.#failures.get(id);
    const count = known && nowMs - known.atMs < FORGET_AFTER_MS ? known.count + 1 : 1;
    this.#failures.delete(id);
    this.#failures.set(id, { count, atMs: nowMs });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MOST_ENTRIES && oldest !== undefined) this.#failures.delete(oldest);
    return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(count - 1, 10));
  }
}
