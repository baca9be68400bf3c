import type { Clock } from '../../base/clock.ts';
import type { Bus } from '../../bus/bus.ts';
import type { StepReport } from '../../config/code-host.ts';
import type { LockAccess, LockOwner } from '../../model/lock.ts';
import type { LockStore } from '../../store/store.ts';
import { Wake } from '../wake.ts';
import type { ForcedEnd } from './forced-end.ts';

export interface WaitForLocksOptions {
  readonly locks: Pick<LockStore, 'wait' | 'find'>;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly owner: Required<LockOwner>;
  readonly accesses: readonly LockAccess[];
}

/** A lost signal costs no more than this. */
const SLOW_TICK_MS = 30_000;

/**
 * A step's wait for its locks, before anything of it is run. How it stands is in the store, where the distributor grants or
 * refuses; signals only wake.
 *
 * `waiting` → `granted`, or `refused`: it could never be granted → (`interrupt`, `endNow`) → `ended`: the place in the line goes
 * with the step's end. `detach`: the master stops, the place stays.
 */
export class WaitForLocks {
  readonly #options: WaitForLocksOptions;
  readonly #over = new AbortController();
  #forced: ForcedEnd | undefined;
  #isDetached = false;

  constructor(options: WaitForLocksOptions) {
    this.#options = options;
  }

  /** Resolves to the step's end when that has come before its locks, to undefined when the master detached from it. */
  async run(): Promise<StepReport | 'granted' | undefined> {
    const { locks, bus, clock, owner, accesses } = this.#options;
    const { buildId, step } = owner;
    const { signal } = this.#over;
    if (signal.aborted) return this.#end();
    const wake = new Wake(clock, SLOW_TICK_MS).on(bus, 'builds', (key) => key === buildId).until(signal);
    try {
      let state = await locks.wait(owner, accesses, clock.now());
      bus.publish('locks', buildId);
      for (;;) {
        if (signal.aborted) return this.#end();
        if (state.kind === 'granted') return 'granted';
        if (state.kind === 'refused') return { result: 'exception', summary: state.why };
        if (state.kind === 'none')
          throw new Error(`step ${step} of build ${buildId} has lost its place among those that wait`);
        await wake.next();
        state = await locks.find(owner);
      }
    } finally {
      wake.close();
    }
  }

  interrupt(end: ForcedEnd): void {
    if (this.#forced?.result === 'retry') this.#forced = end;
    this.#forced ??= end;
    this.#over.abort();
  }

  endNow(end: ForcedEnd): void {
    this.interrupt(end);
  }

  detach(): void {
    this.#isDetached = true;
    this.#over.abort();
  }

  #end(): StepReport | undefined {
    return this.#isDetached ? undefined : this.#forced;
  }
}
