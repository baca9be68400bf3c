import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Bus } from '../../bus/bus.ts';
import type { Build } from '../../model/build.ts';
import { StoreError } from '../../store/store.ts';
import type { WorkerDesk } from '../link/desk.ts';
import { initialProperties } from '../builds/initial-properties.ts';
import { choose } from './choose.ts';
import type { Pair } from './choose.ts';
import { readQueue } from './read-queue.ts';
import type { QueueSources } from './read-queue.ts';

export interface DistributorOptions extends QueueSources {
  readonly bus: Bus;
  readonly desk: WorkerDesk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly start: (build: Build) => void;
}

/** A lost signal costs no more than this. */
const SLOW_TICK_MS = 30_000;

/**
 * Gives waiting requests to workers. Signals only wake it: each pass reads the rows again, decides in `choose`, and claims;
 * a claim may lose. What wakes it during a pass makes one more pass after it.
 */
export class Distributor {
  readonly #options: DistributorOptions;
  readonly #subscriptions: Cancel[] = [];
  #pass: Promise<void> | undefined;
  #isWoken = false;
  #isClosed = false;
  #cancelTick: Cancel | undefined;

  constructor(options: DistributorOptions) {
    this.#options = options;
  }

  open(): void {
    const { bus, desk } = this.#options;
    const wake = (): void => this.wake();
    this.#subscriptions.push(bus.subscribe('requests', wake), desk.onChange(wake));
    this.wake();
  }

  wake(): void {
    if (this.#isClosed) return;
    this.#isWoken = true;
    this.#pass ??= this.#work().finally(() => {
      this.#pass = undefined;
      if (this.#isWoken) this.wake();
    });
  }

  /** Why each waiting request waits, as of now. */
  async reasons(): Promise<ReadonlyMap<number, string>> {
    const { pairs, reasons } = choose(await readQueue(this.#options));
    return new Map([...reasons, ...pairs.map(({ request, worker }) => [request.id, `starts on ${worker}`] as const)]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTick?.();
    for (const cancel of this.#subscriptions) cancel();
    await this.#pass;
  }

  async #work(): Promise<void> {
    const { clock, logger } = this.#options;
    this.#cancelTick?.();
    while (this.#isWoken && !this.#isClosed) {
      this.#isWoken = false;
      try {
        const state = await readQueue(this.#options);
        const { pairs } = choose(state);
        await Promise.all(pairs.map((pair) => this.#claim(pair, state.config.hash)));
      } catch (error) {
        logger.error('the queue could not be worked on; it is tried again', { error: errorText(error) });
      }
    }
    if (!this.#isClosed) this.#cancelTick = clock.after(SLOW_TICK_MS, () => this.wake());
  }

  async #claim({ request, worker, builder }: Pair, configHash: string): Promise<void> {
    const { store, clock, bus, start, logger } = this.#options;
    try {
      const build = await store.requests.claim({
        requestId: request.id,
        worker,
        configHash,
        stepNames: builder.steps.map((step) => step.name),
        properties: initialProperties(request, worker),
        atMs: clock.now(),
      });
      bus.publish('requests', request.id);
      start(build);
    } catch (error) {
      // Taken by another, or cancelled, since it was read: the next pass does not see it.
      if (error instanceof StoreError && error.code === 'lost-claim') return;
      logger.error('a request could not be claimed; it is tried again', {
        request: request.id,
        error: errorText(error),
      });
    }
  }
}
