import type { Cancel, Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';

export interface IdleWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limitMs: number;
  /** Whether nothing runs here, and the master is there to be told. */
  readonly isIdle: () => Promise<boolean>;
  /** Called once. */
  readonly onIdle: () => void;
}

/** Waits until nothing was run for so long: counted from the last order, or from the time the master came back. */
export class IdleWatch {
  readonly #options: IdleWatchOptions;
  #cancel: Cancel | undefined;
  #touches = 0;
  #isOver = false;

  constructor(options: IdleWatchOptions) {
    this.#options = options;
  }

  touch(): void {
    if (this.#isOver) return;
    this.#touches++;
    this.#cancel?.();
    this.#cancel = this.#options.clock.after(this.#options.limitMs, () => void this.#look());
  }

  close(): void {
    this.#isOver = true;
    this.#cancel?.();
  }

  async #look(): Promise<void> {
    const touches = this.#touches;
    const isIdle = await this.#isIdle();
    if (this.#isOver || touches !== this.#touches) return;
    if (!isIdle) return this.touch();
    this.close();
    this.#options.onIdle();
  }

  async #isIdle(): Promise<boolean> {
    try {
      return await this.#options.isIdle();
    } catch (error) {
      this.#options.logger.warn(`cannot tell whether something runs here: ${errorText(error)}`);
      return false;
    }
  }
}
