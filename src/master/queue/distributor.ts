import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { Latest } from '../../base/latest.ts';
import type { Logger } from '../../base/logger.ts';
import type { Bus } from '../../bus/bus.ts';
import type { ConfigShape } from '../../config/shape.ts';
import type { Build } from '../../model/build.ts';
import { StoreError } from '../../store/store.ts';
import { Rounds } from '../rounds.ts';
import { initialProperties } from '../builds/initial-properties.ts';
import { choose } from './choose.ts';
import type { NextWorkers } from './next-workers.ts';
import type { Choice, Cycle, Grant, Pair, QueueState } from './queue-state.ts';
import { readQueue } from './read-queue.ts';
import type { QueueSources } from './read-queue.ts';

export interface DistributorOptions extends QueueSources {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nextWorkers: NextWorkers;
  readonly start: (build: Build) => void;
}

interface Survey {
  readonly state: QueueState;
  readonly choice: Choice;
}

/**
 * Gives waiting requests to workers: each round reads the rows again, decides in `choose`, and claims; a claim may lose.
 */
export class Distributor {
  readonly #options: DistributorOptions;
  readonly #subscriptions: Cancel[] = [];
  readonly #rounds: Rounds;
  readonly #survey: Latest<Survey>;
  #cancelTimer: Cancel | undefined;

  constructor(options: DistributorOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#survey = new Latest(async () => {
      const state = await readQueue(options);
      return { state, choice: choose(state) };
    });
    const failed = 'the queue could not be worked on; it is tried again';
    this.#rounds = new Rounds({ clock, logger, failed, round: () => this.#round() });
  }

  open(): void {
    const { bus } = this.#options;
    const wake = (): void => this.wake();
    for (const topic of ['requests', 'workers', 'locks'] as const) this.#subscriptions.push(bus.subscribe(topic, wake));
    this.wake();
  }

  wake(): void {
    this.#rounds.wake();
  }

  /** The queue as of now, and what would become of it. All who watch a request ask with each change: they share a reading. */
  survey(): Promise<Survey> {
    return this.#survey.get();
  }

  /** Why each waiting request waits, as of now. */
  async reasons(): Promise<ReadonlyMap<number, string>> {
    const { pairs, reasons } = (await this.survey()).choice;
    const { nextWorkers } = this.#options;
    const starting = pairs.map(
      (pair) => [pair.request.id, nextWorkers.why(pair) ?? `starts on ${pair.worker}`] as const,
    );
    return new Map([...reasons, ...starting]);
  }

  async close(): Promise<void> {
    for (const cancel of this.#subscriptions) cancel();
    await this.#rounds.close();
    this.#cancelTimer?.();
  }

  async #round(): Promise<void> {
    const state = await readQueue(this.#options);
    this.#wakeInTime(state);
    const { pairs, grants, cycles } = choose(state);
    // In one turn and this order: so they are committed as they were chosen.
    await Promise.all([
      ...(await this.#confirmed(cycles)).map((cycle) => this.#refuse(cycle)),
      ...grants.map((grant) => this.#grant(grant)),
      ...pairs
        .filter((pair) => this.#options.nextWorkers.allows(pair, state))
        .map((pair) => this.#claim(pair, state.config)),
    ]);
  }

  /** A reading is not of one moment: only the circles that a second one shows as well were there, between the two. */
  async #confirmed(cycles: readonly Cycle[]): Promise<readonly Cycle[]> {
    if (cycles.length === 0) return [];
    const again = new Set(choose(await readQueue(this.#options)).cycles.map(cycleKey));
    return cycles.filter((cycle) => again.has(cycleKey(cycle)));
  }

  /** When a hold ends, or a worker may be given more. */
  #wakeInTime({ holds, vetoes, wakeAtMs = Infinity, nowMs }: QueueState): void {
    this.#cancelTimer?.();
    let firstMs = wakeAtMs;
    for (const { untilMs = Infinity } of [...holds.values(), ...vetoes.values()]) firstMs = Math.min(firstMs, untilMs);
    if (firstMs < Infinity) this.#cancelTimer = this.#options.clock.after(firstMs - nowMs, () => this.wake());
  }

  async #grant({ owner, locks }: Grant): Promise<void> {
    const { store, clock, bus } = this.#options;
    await this.#unlessLost('a step could not be given its locks; it is tried again', { ...owner }, async () => {
      await store.locks.grant(owner, locks, clock.now());
      bus.publish('builds', owner.buildId);
    });
  }

  /** What would wait for itself ends, and says so. */
  async #refuse({ owner, text }: Cycle): Promise<void> {
    const { store, clock, bus } = this.#options;
    await this.#unlessLost('what waits for itself could not be ended; it is tried again', { ...owner }, async () => {
      if ('requestId' in owner) {
        await store.requests.end(owner.requestId, { result: 'exception', summary: text }, clock.now());
        bus.publish('requests', owner.requestId);
      } else {
        await store.locks.refuse(owner, text);
        bus.publish('builds', owner.buildId);
      }
    });
  }

  async #claim({ request, worker, builder, locks }: Pair, config: ConfigShape): Promise<void> {
    const { store, clock, bus, nextWorkers, start } = this.#options;
    await this.#unlessLost('a request could not be claimed; it is tried again', { request: request.id }, async () => {
      const build = await store.requests.claim({
        requestId: request.id,
        worker,
        configHash: config.hash,
        stepNames: builder.steps.map((step) => step.name),
        isCheck: builder.functions?.canStartBuild !== undefined,
        properties: initialProperties(request, worker, config, builder),
        locks,
        atMs: clock.now(),
      });
      nextWorkers.forget(request.id);
      bus.publish('requests', request.id);
      start(build);
    });
  }

  async #unlessLost(
    failed: string,
    what: Readonly<Record<string, unknown>>,
    commit: () => Promise<void>,
  ): Promise<void> {
    try {
      await commit();
    } catch (error) {
      // Taken by another, or ended, or its worker was held, since it was read: the next round sees it so.
      if (error instanceof StoreError && error.code === 'lost-claim') return;
      this.#options.logger.error(failed, { ...what, error: errorText(error) });
    }
  }
}

function cycleKey({ owner, text }: Cycle): string {
  return JSON.stringify([owner, text]);
}
