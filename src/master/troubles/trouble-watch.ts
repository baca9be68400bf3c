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
import { troubleMessages } from '../reporters/trouble-messages.ts';
import { Rounds } from '../rounds.ts';
import { beginText, endText, fullText } from './trouble-text.ts';
import { WorkerSights } from './worker-sights.ts';

export interface TroubleWatchOptions {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly desk: Pick<WorkerDesk, 'connected' | 'vitals'>;
  readonly config: () => Pick<ConfigShape, 'title' | 'reporters' | 'workers' | 'troubles'>;
  /** There is something in the outbox. */
  readonly onTold: () => void;
}

/** Workers that come together are looked at together. */
const GATHER_MS = 200;

/**
 * Notices workers that are missing, flapping or full, and when they no longer are. What is open is in the rows, and a row begins and ends
 * once, so a restart neither forgets nor repeats any. What is told of it outside is stored with it.
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
    const { store, clock, logger, config, onTold } = this.#options;
    const text = beginText(kind, rules, full);
    const nowMs = clock.now();
    const sinceMs = Math.round(nowMs - agoMs);
    const trouble = { worker, kind, sinceMs, text, ...(owner !== undefined && { owner }) };
    const id = await store.troubles.begin(trouble, nowMs, (id) => troubleMessages(config(), { id, ...trouble }, nowMs));
    if (id === undefined) return;
    logger.warn(`a worker is ${kind}`, { worker, trouble: id, why: text });
    onTold();
  }

  async #end(
    trouble: Trouble | undefined,
    end: End,
    rules: TroubleRules,
    record: WorkerRecord | undefined,
  ): Promise<void> {
    if (!trouble) return;
    const { store, clock, logger, config, onTold } = this.#options;
    const nowMs = clock.now();
    const text = endText(end, rules, record && heldText(record, nowMs));
    const { id, worker, kind } = trouble;
    const messages = troubleMessages(config(), { ...trouble, untilMs: nowMs, endText: text }, nowMs);
    if (!(await store.troubles.end(id, nowMs, text, messages))) return;
    logger.info(`a worker is no longer ${kind}`, { worker, trouble: id, why: text });
    onTold();
  }
}
