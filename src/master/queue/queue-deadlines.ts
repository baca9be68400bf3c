import type { Cancel, Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Bus } from '../../bus/bus.ts';
import { StoreError } from '../../store/store.ts';
import type { Store } from '../../store/store.ts';
import { Rounds } from '../rounds.ts';

export interface QueueDeadlinesOptions {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What each waiting request waits for, for people. */
  readonly reasons: () => Promise<ReadonlyMap<number, string>>;
}

/** A clock that was put forward is noticed after so long at the latest. */
const LONGEST_WAIT_MS = 30_000;

/** Ends requests that have waited as long as their builder lets them, each with what it waited for. */
export class QueueDeadlines {
  readonly #options: QueueDeadlinesOptions;
  readonly #rounds: Rounds;
  #unsubscribe: Cancel | undefined;
  #cancelTimer: Cancel | undefined;

  constructor(options: QueueDeadlinesOptions) {
    this.#options = options;
    const { clock, logger } = options;
    const failed = 'requests whose time in the queue is over could not be ended; it is tried again';
    this.#rounds = new Rounds({ clock, logger, failed, round: () => this.#round() });
  }

  open(): void {
    this.#unsubscribe = this.#options.bus.subscribe('requests', () => this.#rounds.wake());
    this.#rounds.wake();
  }

  async close(): Promise<void> {
    this.#unsubscribe?.();
    await this.#rounds.close();
    this.#cancelTimer?.();
  }

  async #round(): Promise<void> {
    const { store, clock, reasons } = this.#options;
    this.#cancelTimer?.();
    let next = await store.requests.nextDeadline();
    const isDue = next !== undefined && next.deadlineMs <= clock.now();
    const waitedFor = isDue ? await reasons() : new Map<number, string>();
    while (next && next.deadlineMs <= clock.now()) {
      await this.#giveUp(next.id, waitedFor.get(next.id));
      next = await store.requests.nextDeadline();
    }
    if (!next) return;
    const leftMs = Math.min(LONGEST_WAIT_MS, next.deadlineMs - clock.now());
    this.#cancelTimer = clock.after(Math.max(1, leftMs), () => this.#rounds.wake());
  }

  async #giveUp(id: number, reason = 'it was about to start'): Promise<void> {
    const { store, clock } = this.#options;
    const summary = `not built, for its time in the queue is over: ${reason}`;
    try {
      await store.requests.end(id, { result: 'exception', cause: 'deadline', summary }, clock.now());
    } catch (error) {
      // It was started, or stopped, in this moment.
      if (!(error instanceof StoreError && error.code === 'lost-claim')) throw error;
    }
  }
}
