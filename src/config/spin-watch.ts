import type { Cancel, Clock } from '../base/clock.ts';

export interface SpinWatchOptions {
  readonly clock: Clock;
  readonly limitMs: number;
  /** Asks the thread for a sign of life; `hasAnswered` tells whether the last one asked for has come. */
  readonly ask: () => void;
  readonly hasAnswered: () => boolean;
  /** Once a spell. */
  readonly onSlow: (silentMs: number) => void;
  readonly onLimit: (silentMs: number) => void;
}

const TICK_MS = 250;
/** With the tick, a step that spins is named within a second. */
const SLOW_MS = 500;

/**
 * Watches that a thread comes back to its event loop. Silence is counted in ticks of our own, so that a pause of this whole
 * process, or of its machine, is not held against the thread.
 */
export class SpinWatch {
  readonly #options: SpinWatchOptions;
  #cancel: Cancel | undefined;
  #tickedAtMs = 0;
  #silentMs = 0;
  #isNamed = false;

  constructor(options: SpinWatchOptions) {
    this.#options = options;
  }

  /** Does nothing when it is on. */
  start(): void {
    if (this.#cancel) return;
    this.#tickedAtMs = this.#options.clock.monotonic();
    this.#calm();
    this.#options.ask();
    this.#next();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #next(): void {
    this.#cancel = this.#options.clock.after(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const { clock, limitMs, ask, hasAnswered, onSlow, onLimit } = this.#options;
    const nowMs = clock.monotonic();
    const passedMs = Math.min(nowMs - this.#tickedAtMs, 2 * TICK_MS);
    this.#tickedAtMs = nowMs;
    this.#next();
    if (hasAnswered()) {
      this.#calm();
      return ask();
    }
    this.#silentMs += passedMs;
    if (this.#silentMs >= limitMs) {
      const silentMs = this.#silentMs;
      this.stop();
      return onLimit(silentMs);
    }
    if (this.#silentMs >= SLOW_MS && !this.#isNamed) {
      this.#isNamed = true;
      onSlow(this.#silentMs);
    }
  }

  #calm(): void {
    this.#silentMs = 0;
    this.#isNamed = false;
  }
}
