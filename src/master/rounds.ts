import type { Cancel, Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';

export interface RoundsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What a failed round is told as: it is tried again. */
  readonly failed: string;
  /** Reads the rows, and does what they ask for. */
  readonly round: () => Promise<void>;
}

/** A lost signal costs no more than this. */
const SLOW_TICK_MS = 30_000;

/**
 * Work that goes by what the rows say: signals only wake it, and each round reads them again. What wakes it during a round makes
 * one more after it.
 */
export class Rounds {
  readonly #options: RoundsOptions;
  #underWay: Promise<void> | undefined;
  #isWoken = false;
  #isClosed = false;
  #cancelTick: Cancel | undefined;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  wake(): void {
    if (this.#isClosed) return;
    this.#isWoken = true;
    this.#underWay ??= this.#work().finally(() => {
      this.#underWay = undefined;
      if (this.#isWoken) this.wake();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTick?.();
    await this.#underWay;
  }

  async #work(): Promise<void> {
    const { clock, logger, failed, round } = this.#options;
    this.#cancelTick?.();
    while (this.#isWoken && !this.#isClosed) {
      this.#isWoken = false;
      try {
        await round();
      } catch (error) {
        logger.error(failed, { error: errorText(error) });
      }
    }
    if (!this.#isClosed) this.#cancelTick = clock.after(SLOW_TICK_MS, () => this.wake());
  }
}
