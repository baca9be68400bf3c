import type { Cancel, Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Bus } from '../bus/bus.ts';
import { buildsLeft } from '../model/worker.ts';
import type { WorkerHold, WorkerRecord } from '../model/worker.ts';
import type { Store } from '../store/store.ts';
import type { Builds } from './builds/builds.ts';
import type { OpenWorkerDesk } from './link/worker-desk.ts';
import type { People } from './people/people.ts';
import { Rounds } from './rounds.ts';

export interface FarewellOptions {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly desk: Pick<OpenWorkerDesk, 'connected' | 'connection' | 'dismiss'>;
  readonly builds: Pick<Builds, 'retire'>;
  readonly people: Pick<People, 'change'>;
}

/**
 * Sees workers off that are given no more builds, once nothing runs there. All it goes by is in the rows, so it is finished after
 * a restart of the master, too. A worker's row is read before the running builds: a build that was claimed before the row
 * was written is seen, and none can be claimed after.
 */
export class Farewell {
  readonly #options: FarewellOptions;
  readonly #rounds: Rounds;
  readonly #subscriptions: Cancel[] = [];

  constructor(options: FarewellOptions) {
    this.#options = options;
    const { clock, logger } = options;
    const failed = 'workers that leave could not be seen off; it is tried again';
    this.#rounds = new Rounds({ clock, logger, failed, round: () => this.#round() });
  }

  open(): void {
    const { bus } = this.#options;
    const wake = (): void => this.#rounds.wake();
    // A request is told of when its build has ended.
    this.#subscriptions.push(bus.subscribe('workers', wake), bus.subscribe('requests', wake));
    wake();
  }

  async close(): Promise<void> {
    for (const cancel of this.#subscriptions) cancel();
    await this.#rounds.close();
  }

  async #round(): Promise<void> {
    const { store, builds } = this.#options;
    const leaving = await store.workers.leaving();
    builds.retire(new Set(leaving.filter(({ hold }) => hold?.kind === 'retiring-now').map(({ name }) => name)));
    if (leaving.length === 0) return;
    const busy = new Set((await store.builds.running()).map(({ worker }) => worker));
    await Promise.all(leaving.filter(({ name }) => !busy.has(name)).map((worker) => this.#seeOff(worker)));
  }

  async #seeOff(worker: WorkerRecord): Promise<void> {
    const { store, desk, bus, clock, logger } = this.#options;
    const { name, hold, leaving } = worker;
    if (hold?.kind === 'retiring' || hold?.kind === 'retiring-now') return await this.#retire(worker, hold);
    if (hold?.kind === 'draining') {
      await store.workers.setHold(name, { ...hold, kind: 'drained', sinceMs: clock.now() }, ['draining']);
      logger.info('a worker is drained', { worker: name });
      bus.publish('workers', name);
    }
    // A newer connection may be that of a daemon that was started anew, and stays: the next round sees its row.
    if (!isLeaving(worker) || desk.connection(name)?.epoch !== worker.epoch) return;
    desk.dismiss(name, { code: 'left', message: leaving?.reason ?? 'it has had its builds' });
  }

  /**
   * The key goes last: with it the daemon can still come again to be told, should this end in the middle. One that came or went
   * a moment ago (this master, or its daemon, has just been started again) is given the time for it.
   */
  async #retire({ name, sinceMs = -Infinity }: WorkerRecord, hold: WorkerHold): Promise<void> {
    const { store, desk, people, bus, clock, logger } = this.#options;
    const isHere = desk.connected().has(name);
    // Also when the wall clock was put back since.
    if (!isHere && Math.abs(clock.now() - sinceMs) < RETURN_MS) return;
    const message = `retired by ${hold.by}${hold.reason === undefined ? '' : `: ${hold.reason}`}`;
    await desk.dismiss(name, { code: 'retired', message: message.slice(0, MESSAGE_MAX) })?.closed;
    // Together with what holds it: somebody may have taken it back meanwhile.
    if (!(await people.change(() => store.workers.retire(name, hold.kind, clock.now())))) return;
    logger.info('a worker is retired', { worker: name });
    bus.publish('workers', name);
  }
}

const MESSAGE_MAX = 1_000;
/** A daemon that is well comes again within this time: it tries every half minute at least. */
const RETURN_MS = 60_000;

/** By its own wish, or because its term is over. */
function isLeaving(worker: WorkerRecord): boolean {
  return worker.leaving !== undefined || buildsLeft(worker) === 0;
}
