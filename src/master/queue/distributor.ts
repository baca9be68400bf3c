import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Bus } from '../../bus/bus.ts';
import type { Build } from '../../model/build.ts';
import { StoreError } from '../../store/store.ts';
import { Rounds } from '../rounds.ts';
import { initialProperties } from '../builds/initial-properties.ts';
import { choose } from './choose.ts';
import type { Pair, QueueState } from './queue-state.ts';
import { readQueue } from './read-queue.ts';
import type { QueueSources } from './read-queue.ts';

export interface DistributorOptions extends QueueSources {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly start: (build: Build) => void;
}

/**
 * Gives waiting requests to workers: each round reads the rows again, decides in `choose`, and claims; a claim may lose.
 */
export class Distributor {
  readonly #options: DistributorOptions;
  readonly #subscriptions: Cancel[] = [];
  readonly #rounds: Rounds;
  #cancelTimer: Cancel | undefined;

  constructor(options: DistributorOptions) {
    this.#options = options;
    const { clock, logger } = options;
    const failed = 'the queue could not be worked on; it is tried again';
    this.#rounds = new Rounds({ clock, logger, failed, round: () => this.#round() });
  }

  open(): void {
    const { bus } = this.#options;
    const wake = (): void => this.wake();
    this.#subscriptions.push(bus.subscribe('requests', wake), bus.subscribe('workers', wake));
    this.wake();
  }

  wake(): void {
    this.#rounds.wake();
  }

  /** Why each waiting request waits, as of now. */
  async reasons(): Promise<ReadonlyMap<number, string>> {
    const { pairs, reasons } = choose(await readQueue(this.#options));
    return new Map([...reasons, ...pairs.map(({ request, worker }) => [request.id, `starts on ${worker}`] as const)]);
  }

  async close(): Promise<void> {
    for (const cancel of this.#subscriptions) cancel();
    await this.#rounds.close();
    this.#cancelTimer?.();
  }

  async #round(): Promise<void> {
    const state = await readQueue(this.#options);
    this.#wakeInTime(state);
    await Promise.all(choose(state).pairs.map((pair) => this.#claim(pair, state.config.hash)));
  }

  /** When a hold ends, or a worker may be given more. */
  #wakeInTime({ holds, vetoes, wakeAtMs = Infinity, nowMs }: QueueState): void {
    this.#cancelTimer?.();
    let firstMs = wakeAtMs;
    for (const { untilMs = Infinity } of [...holds.values(), ...vetoes.values()]) firstMs = Math.min(firstMs, untilMs);
    if (firstMs < Infinity) this.#cancelTimer = this.#options.clock.after(firstMs - nowMs, () => this.wake());
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
      // Taken by another, or cancelled, or its worker was held, since it was read: the next round sees it so.
      if (error instanceof StoreError && error.code === 'lost-claim') return;
      logger.error('a request could not be claimed; it is tried again', {
        request: request.id,
        error: errorText(error),
      });
    }
  }
}
