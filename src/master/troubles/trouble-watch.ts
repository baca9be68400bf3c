import type { Cancel, Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Bus } from '../../bus/bus.ts';
import type { ConfigShape } from '../../config/shape.ts';
import { judgeWorker } from '../../model/trouble.ts';
import type { Begin, End, Trouble, TroubleRules } from '../../model/trouble.ts';
import type { WorkerRecord } from '../../model/worker.ts';
import type { Store } from '../../store/store.ts';
import type { WorkerDesk } from '../link/desk.ts';
import { heldText } from '../queue/held-text.ts';
import { Rounds } from '../rounds.ts';
import { beginText, endText, fullText } from './trouble-text.ts';
import { WorkerSights } from './worker-sights.ts';

export interface TroubleWatchOptions {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly desk: Pick<WorkerDesk, 'connected' | 'vitals'>;
  readonly config: () => Pick<ConfigShape, 'workers' | 'troubles'>;
}

/** Workers that come together are looked at together. */
const GATHER_MS = 200;

/**
 * Notices workers that are missing, flapping or full, and when they no longer are. What is open is in the rows, and a row begins and ends
 * once, so a restart neither forgets nor repeats any.
 */
export class TroubleWatch {
  readonly #options: TroubleWatchOptions;
  readonly #rounds: Rounds;
  readonly #sights: WorkerSights;
  #subscription: Cancel | undefined;
  #gathering: Cancel | undefined;
  #due: Cancel | undefined;

  constructor(options: TroubleWatchOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#sights = new WorkerSights(clock);
    const failed = 'troubles of workers could not be looked for; it is tried again';
    this.#rounds = new Rounds({ clock, logger, failed, round: () => this.#round() });
  }

  open(): void {
    this.#subscription = this.#options.bus.subscribe('workers', () => this.look());
    this.look();
  }

  /** Something may have changed: the configuration, a worker. */
  look(): void {
    this.#gathering ??= this.#options.clock.after(GATHER_MS, () => {
      this.#gathering = undefined;
      this.#rounds.wake();
    });
  }

  async close(): Promise<void> {
    this.#subscription?.();
    this.#gathering?.();
    await this.#rounds.close();
    this.#due?.();
  }

  async #round(): Promise<void> {
    const { store, desk, clock, config } = this.#options;
    const { workers, troubles: rules } = config();
    const nowMs = clock.now();
    const [records, connections, open] = await Promise.all([
      store.workers.list(),
      store.workers.connections(nowMs - rules.flapping.withinMs),
      store.troubles.open(),
    ]);
    const connected = desk.connected();
    const known = new Map(records.map((record) => [record.name, record]));
    const configured = new Map(workers.map((worker) => [worker.name, worker]));
    const names = new Set([...configured.keys(), ...open.map(({ worker }) => worker)]);
    const connectedAgoMs = new Map<string, number[]>();
    for (const { worker, atMs } of connections) {
      const agoMs = Math.max(0, nowMs - atMs);
      connectedAgoMs.set(worker, [...(connectedAgoMs.get(worker) ?? []), agoMs]);
    }
    this.#sights.keepOnly(names);
    let dueInMs = Infinity;
    for (const name of names) {
      const { missingAfterMs = rules.missingAfterMs, owner } = configured.get(name) ?? {};
      const own = { ...rules, missingAfterMs };
      const record = known.get(name);
      const full = fullText(desk.vitals(name));
      const sight = this.#sights.see(name, record, {
        isConfigured: configured.has(name),
        isHere: connected.has(name),
        full,
        connectedAgoMs: connectedAgoMs.get(name) ?? [],
      });
      const mine = new Map(open.filter(({ worker }) => worker === name).map((trouble) => [trouble.kind, trouble]));
      const judged = judgeWorker(sight, own, new Set(mine.keys()));
      for (const end of judged.ends) await this.#end(mine.get(end.kind), end, own, record);
      for (const begin of judged.begins) await this.#begin(name, begin, own, full, owner);
      dueInMs = Math.min(dueInMs, judged.dueInMs);
    }
    this.#due?.();
    this.#due = dueInMs === Infinity ? undefined : clock.after(dueInMs, () => this.#rounds.wake());
  }

  async #begin(
    worker: string,
    { kind, agoMs }: Begin,
    rules: TroubleRules,
    full: string | undefined,
    owner: string | undefined,
  ): Promise<void> {
    const { store, clock, logger } = this.#options;
    const text = beginText(kind, rules, full);
    const sinceMs = Math.round(clock.now() - agoMs);
    const id = await store.troubles.begin({ worker, kind, sinceMs, text, ...(owner !== undefined && { owner }) });
    if (id !== undefined) logger.warn(`a worker is ${kind}`, { worker, trouble: id, why: text });
  }

  async #end(
    trouble: Trouble | undefined,
    end: End,
    rules: TroubleRules,
    record: WorkerRecord | undefined,
  ): Promise<void> {
    if (!trouble) return;
    const { store, clock, logger } = this.#options;
    const nowMs = clock.now();
    const text = endText(end, rules, record && heldText(record, nowMs));
    const { id, worker, kind } = trouble;
    if (await store.troubles.end(id, nowMs, text)) {
      logger.info(`a worker is no longer ${kind}`, { worker, trouble: id, why: text });
    }
  }
}
