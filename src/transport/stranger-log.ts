import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';

const MINUTE_MS = 60_000;

/**
 * Lines that anybody can cause who reaches the port, or that one peer can cause without end: so many a minute are logged, then
 * one tells how many more there were. What the log has of others is not pushed out of it.
 */
export class StrangerLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #linesPerMinute: number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #leftOut = 0;

  constructor(logger: Logger, clock: Clock, linesPerMinute: number) {
    this.#logger = logger;
    this.#clock = clock;
    this.#linesPerMinute = linesPerMinute;
  }

  tell(level: 'info' | 'warn', message: string, fields: Record<string, unknown>): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#sinceMs >= MINUTE_MS) {
      this.#sinceMs = nowMs;
      this.#lines = 0;
    }
    if (this.#lines < this.#linesPerMinute) {
      this.#lines++;
      return this.#logger[level](message, fields);
    }
    // Told when the minute is over, also when nobody comes any more.
    if (this.#leftOut++ === 0) this.#clock.after(MINUTE_MS - (nowMs - this.#sinceMs), () => this.#tellLeftOut());
  }

  #tellLeftOut(): void {
    this.#logger.warn('more such lines about strangers, and peers that misbehave, were left out', {
      count: this.#leftOut,
      linesPerMinute: this.#linesPerMinute,
    });
    this.#leftOut = 0;
  }
}
