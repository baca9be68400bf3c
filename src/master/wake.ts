import type { Cancel, Clock } from '../base/clock.ts';
import { deferred } from '../base/deferred.ts';
import type { Bus, Key, Topic } from '../bus/bus.ts';

/**
 * Waits for signals of the bus without losing one that comes while its owner is busy: `next` resolves at once when there was
 * one since the last `next`, at the latest after `slowMs` (a lost signal costs no more than that), or when it is closed.
 */
export class Wake {
  readonly #clock: Clock;
  readonly #slowMs: number;
  readonly #cancels: Cancel[] = [];
  #isRung = false;
  #ring: (() => void) | undefined;

  constructor(clock: Clock, slowMs: number) {
    this.#clock = clock;
    this.#slowMs = slowMs;
  }

  on(bus: Bus, topic: Topic, isMine: (key: Key) => boolean = () => true): this {
    this.#cancels.push(
      bus.subscribe(topic, (key) => {
        if (isMine(key)) this.#wake();
      }),
    );
    return this;
  }

  until(signal: AbortSignal | undefined): this {
    if (!signal) return this;
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    this.#cancels.push(() => signal.removeEventListener('abort', wake));
    return this;
  }

  async next(): Promise<void> {
    if (!this.#isRung) {
      const rung = deferred();
      this.#ring = rung.resolve;
      const cancel = this.#clock.after(this.#slowMs, () => this.#wake());
      await rung.promise;
      cancel();
    }
    this.#isRung = false;
  }

  close(): void {
    for (const cancel of this.#cancels) cancel();
    this.#wake();
  }

  #wake(): void {
    this.#isRung = true;
    this.#ring?.();
    this.#ring = undefined;
  }
}
