import type { Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import type { Build } from '../../model/build.ts';
import { DEAD_AFTER_HEARTBEATS, SHORTEST_HEARTBEAT_MS, heartbeatFor } from '../../model/lost-worker.ts';
import type { WhenWorkerLost } from '../../model/lost-worker.ts';
import type { Store } from '../../store/store.ts';

export interface LostRules {
  /** What the configuration that the build keeps says; rejects when that cannot be read. */
  readonly ruleOf: (build: Build) => Promise<WhenWorkerLost>;
  /** Of the active configuration. */
  readonly heartbeatMs: () => number;
}

/** How often both sides ping, and after how long a silent peer is dead. */
export interface Pace {
  readonly heartbeatMs: number;
  readonly deadMs: number;
}

/** A configuration is loaded by its own code, which may hang; no worker waits for that longer, well below its limit for a hello. */
export const RULE_LIMIT_MS = 3_000;

/**
 * How long each worker may hold commands out of sight beyond the leases of their builds, as the store has it: for ever when it
 * keeps no leases, so long when it was told that the master stops for a while. Work is started elsewhere only after that.
 */
export class HeldLeases {
  readonly #store: Store;
  readonly #rules: LostRules;
  readonly #clock: Clock;
  readonly #leases = new Map<string, number>();
  /** Workers of which the store may not say the same: a write is under way, or failed. */
  readonly #unstored = new Set<string>();

  constructor(store: Store, rules: LostRules, clock: Clock) {
    this.#store = store;
    this.#rules = rules;
    this.#clock = clock;
  }

  /** Before the first worker is let in. */
  async read(): Promise<void> {
    for (const { name, leaseMs } of await this.#store.workers.list()) {
      if (leaseMs !== undefined && !this.#leases.has(name)) this.#leases.set(name, leaseMs);
    }
  }

  /** 0: no longer than the builds say. */
  of(worker: string): number {
    return this.#leases.get(worker) ?? 0;
  }

  /** Resolves when it is stored. */
  async put(worker: string, leaseMs: number | undefined): Promise<void> {
    if (this.#leases.get(worker) === leaseMs && !this.#unstored.has(worker)) return;
    this.#unstored.add(worker);
    const stored = this.#store.workers.setLease(worker, leaseMs);
    if (leaseMs === undefined) this.#leases.delete(worker);
    else this.#leases.set(worker, leaseMs);
    await stored;
    this.#unstored.delete(worker);
  }

  /** Rejects when it cannot be read, or not in time. */
  async ruleOf(build: Build): Promise<WhenWorkerLost> {
    const late = deferred<never>();
    const cancel = this.#clock.after(RULE_LIMIT_MS, () =>
      late.reject(new Error(`it was not loaded within ${RULE_LIMIT_MS} ms`)),
    );
    try {
      return await Promise.race([this.#rules.ruleOf(build), late.promise]);
    } finally {
      cancel();
    }
  }

  /** For a new connection of the worker. */
  async paceOf(worker: string): Promise<Pace> {
    const running = (await this.#store.builds.running()).filter((build) => build.worker === worker);
    const rules = await Promise.allSettled(running.map((build) => this.ruleOf(build)));
    const known = rules.flatMap((rule) => (rule.status === 'fulfilled' ? [rule.value] : []));
    // What cannot be read now may be read when its lease is given, and need the quickest.
    const slowestMs = known.length < rules.length ? SHORTEST_HEARTBEAT_MS : this.#rules.heartbeatMs();
    const heartbeatMs = heartbeatFor(slowestMs, known);
    return { heartbeatMs, deadMs: DEAD_AFTER_HEARTBEATS * heartbeatMs };
  }
}
