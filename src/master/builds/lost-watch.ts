import type { Cancel, Clock } from '../../base/clock.ts';
import { graceOf } from '../../model/lost-worker.ts';
import type { WhenWorkerLost } from '../../model/lost-worker.ts';
import type { WorkerDesk } from '../link/desk.ts';

export interface LostWatchOptions {
  readonly clock: Clock;
  readonly desk: Pick<WorkerDesk, 'connected' | 'heardAtMs' | 'heldMs'>;
  readonly worker: string;
  readonly rule: WhenWorkerLost;
  /** Called once, at the earliest when nothing was heard of the worker for so long. */
  readonly lost: (graceMs: number) => void;
}

/** A worker that is out of sight. */
export interface Away {
  /** Nothing was heard for so long. */
  readonly forMs: number;
  /** The build is done again in so long; absent: it waits. */
  readonly retryInMs?: number;
}

/** Counts the time in which nothing is heard of a build's worker, against what the build's rule allows. */
export class LostWatch {
  readonly #options: LostWatchOptions;
  #cancel: Cancel | undefined;
  #isOver = false;

  constructor(options: LostWatchOptions) {
    this.#options = options;
  }

  /** To be called at the begin, and whenever the worker came or went. */
  look(): void {
    this.close();
    if (this.#isOver || this.#isHere()) return;
    const { clock, desk, worker, rule, lost } = this.#options;
    const graceMs = graceOf(rule, desk.heldMs(worker));
    if (graceMs === undefined) return;
    const leftMs = graceMs - this.#unseenMs();
    if (leftMs > 0) {
      this.#cancel = clock.after(leftMs, () => this.look());
      return;
    }
    this.#isOver = true;
    lost(graceMs);
  }

  /** Undefined while the worker is here. */
  away(): Away | undefined {
    if (this.#isHere()) return undefined;
    const { desk, worker, rule } = this.#options;
    const forMs = this.#unseenMs();
    const graceMs = graceOf(rule, desk.heldMs(worker));
    return { forMs, ...(graceMs !== undefined && { retryInMs: Math.max(0, graceMs - forMs) }) };
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #isHere(): boolean {
    return this.#options.desk.connected().has(this.#options.worker);
  }

  #unseenMs(): number {
    const { clock, desk, worker } = this.#options;
    return clock.monotonic() - desk.heardAtMs(worker);
  }
}
