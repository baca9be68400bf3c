import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Bus } from '../../bus/bus.ts';
import type { AfterShape, QuietShape, SchedulerShape, TimedShape } from '../../config/scheduler-shape.ts';
import type { ConfigShape, ProjectShape } from '../../config/shape.ts';
import type { PendingChanges, SchedulerName, SchedulerRecord } from '../../model/scheduler.ts';
import type { Firing, Store } from '../../store/store.ts';
import { StoreError } from '../../store/store.ts';
import { Rounds } from '../rounds.ts';
import { quietUntil } from './quiet-until.ts';
import { setAfter, setOfChanges, setOfTime } from './sets.ts';
import { timerStep } from './timer.ts';

export interface SchedulersOptions {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: () => ConfigShape;
}

/** A scheduler of the configuration with what is kept of it. */
interface Tended<Shape extends SchedulerShape = SchedulerShape> {
  readonly name: SchedulerName;
  readonly project: ProjectShape;
  readonly shape: Shape;
  readonly record: SchedulerRecord | undefined;
  readonly pending: readonly PendingChanges[];
  readonly nowMs: number;
}

const keyOf = ({ project, scheduler }: SchedulerName): string => `${project}/${scheduler}`;

function byName(pending: readonly PendingChanges[]): ReadonlyMap<string, readonly PendingChanges[]> {
  const found = new Map<string, PendingChanges[]>();
  for (const one of pending) found.set(keyOf(one), [...(found.get(keyOf(one)) ?? []), one]);
  return found;
}

/** All that is kept of one that is gone. */
function isSwitchAlone(record: SchedulerRecord | undefined): boolean {
  return record?.off !== undefined && record.rule === undefined;
}

/**
 * Has builds made of changes whose branch is quiet, at times, and after other build sets. Each round reads the rows again, and one
 * timer wakes it for what is due first. What it does is one transaction each, which may lose: to a change that came, to a switch,
 * to another loop.
 */
export class Schedulers {
  readonly #options: SchedulersOptions;
  readonly #rounds: Rounds;
  readonly #subscriptions: Cancel[] = [];
  #cancelTimer: Cancel | undefined;
  #isClosed = false;

  constructor(options: SchedulersOptions) {
    this.#options = options;
    const { clock, logger } = options;
    const failed = 'the schedulers could not be seen to; it is tried again';
    this.#rounds = new Rounds({ clock, logger, failed, round: () => this.#round() });
  }

  open(): void {
    const { bus, store } = this.#options;
    this.#subscriptions.push(
      bus.subscribe('schedulers', () => this.wake()),
      store.onAside(({ kind }) => {
        if (kind === 'ended' && this.#follows()) this.wake();
      }),
    );
    this.wake();
  }

  wake(): void {
    this.#rounds.wake();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const cancel of this.#subscriptions) cancel();
    this.#cancelTimer?.();
    await this.#rounds.close();
  }

  /** Only what follows others waits for the end of requests. */
  #follows(): boolean {
    return this.#options.config().projects.some(({ schedulers }) => schedulers.some(({ kind }) => kind === 'after'));
  }

  async #round(): Promise<void> {
    const { store, clock, logger, config } = this.#options;
    const nowMs = clock.now();
    const records = new Map((await store.schedulers.list()).map((record) => [keyOf(record), record]));
    const pending = byName(await this.#pending(nowMs));
    let wakeAtMs = Infinity;
    const there = new Set<string>();
    for (const project of config().projects) {
      for (const shape of project.schedulers) {
        const name = { project: project.name, scheduler: shape.name };
        const key = keyOf(name);
        there.add(key);
        const tended = { name, project, shape, record: records.get(key), pending: pending.get(key) ?? [], nowMs };
        try {
          wakeAtMs = Math.min(wakeAtMs, await this.#tend(tended));
        } catch (error) {
          // The others go on.
          logger.error('a scheduler could not be seen to; it is tried again', {
            scheduler: key,
            error: errorText(error),
          });
        }
      }
    }
    for (const [key, name] of [...records, ...[...pending].map(([of, [one]]) => [of, one] as const)]) {
      if (name && !there.has(key) && (pending.has(key) || !isSwitchAlone(records.get(key)))) await this.#forget(name);
    }
    this.#wakeAt(wakeAtMs);
  }

  /** The wall clock may have been put back: nothing came later than now. */
  async #pending(nowMs: number): Promise<readonly PendingChanges[]> {
    const { schedulers } = this.#options.store;
    const pending = await schedulers.pending();
    if (!pending.some(({ lastImportantMs = 0 }) => lastImportantMs > nowMs)) return pending;
    await schedulers.pullBack(nowMs);
    return await schedulers.pending();
  }

  /** Resolves to when it is to be seen to again. */
  async #tend(tended: Tended): Promise<number> {
    const { shape, record } = tended;
    if (record?.off) return Infinity;
    switch (shape.kind) {
      case 'onChange':
      case 'anyBranch':
        return await this.#tendQuiet({ ...tended, shape });
      case 'periodic':
      case 'nightly':
        return await this.#tendTimer({ ...tended, shape });
      case 'after':
        return await this.#tendFollower({ ...tended, shape });
      default:
        return Infinity;
    }
  }

  async #tendQuiet({ name, shape, pending, nowMs }: Tended<QuietShape>): Promise<number> {
    let wakeAtMs = Infinity;
    for (const { branch, count, newestId, ...when } of pending) {
      const untilMs = quietUntil(shape, when);
      if (untilMs === undefined) continue;
      if (untilMs > nowMs) {
        wakeAtMs = Math.min(wakeAtMs, untilMs);
        continue;
      }
      const newest = await this.#options.store.changes.find(newestId);
      if (!newest) throw new Error(`change ${newestId} is not there`);
      await this.#fire({ ...name, changes: { branch, newestId }, set: setOfChanges(shape, newest, count, nowMs) });
    }
    return wakeAtMs;
  }

  async #tendTimer({ name, project, shape, record, pending, nowMs }: Tended<TimedShape>): Promise<number> {
    const { store } = this.#options;
    const step = timerStep(shape, record, nowMs);
    if (step.kind === 'wait') return step.untilMs;
    if (step.kind === 'settle') {
      const { rule, nextAtMs } = step;
      const settled = { ...name, rule, ...(nextAtMs !== undefined && { nextAtMs }) };
      await store.schedulers.settle(settled, record, shape.onlyIfChanged ? (shape.branch ?? '') : '');
      return nextAtMs ?? Infinity;
    }
    const { atMs, nextAtMs, isForced, isTooLate } = step;
    const changed = pending.find(({ branch }) => branch === shape.branch);
    const isChanged = changed?.lastImportantMs !== undefined;
    const timer = { atMs, ...(nextAtMs !== undefined && { nextAtMs }) };
    if (isTooLate || (shape.onlyIfChanged && !isForced && !isChanged)) {
      await this.#fire({ ...name, timer });
    } else {
      const newest = changed && (await store.changes.find(changed.newestId));
      const set = setOfTime(project, shape, atMs, newest, nowMs);
      const { branch, newestId } = changed ?? {};
      const changes = branch !== undefined && newestId !== undefined ? { changes: { branch, newestId } } : {};
      await this.#fire({ ...name, timer, ...changes, set });
    }
    return nextAtMs ?? Infinity;
  }

  async #tendFollower({ name, project, shape, record, nowMs }: Tended<AfterShape>): Promise<number> {
    const { schedulers } = this.#options.store;
    const rule = keyOf(shape.upstream);
    if (record?.rule !== rule) {
      await schedulers.settle({ ...name, rule }, record, '');
      return Infinity;
    }
    for (const ended of await schedulers.toFollow(name, shape.upstream)) {
      if (!ended.isSuccess) await this.#fire({ ...name, follows: ended.id });
      else {
        const { isSameSource, ...set } = setAfter(project, shape, ended, nowMs);
        await this.#fire({ ...name, follows: ended.id, set, isSameSource });
      }
    }
    return Infinity;
  }

  async #fire(firing: Firing): Promise<void> {
    const { store, bus } = this.#options;
    try {
      for (const { id } of await store.schedulers.fire(firing)) bus.publish('requests', id);
    } catch (error) {
      // A change came, it was switched off, or another loop was first: whatever it was, it wakes the next round.
      if (!(error instanceof StoreError) || error.code !== 'lost-claim') throw error;
    }
  }

  async #forget(name: SchedulerName): Promise<void> {
    const { store, logger } = this.#options;
    const changes = await store.schedulers.forget(name);
    if (changes === 0) return;
    logger.warn('a scheduler is gone from the configuration: what waited for it is not built', {
      scheduler: keyOf(name),
      changes,
    });
  }

  #wakeAt(atMs: number): void {
    const { clock } = this.#options;
    this.#cancelTimer?.();
    if (this.#isClosed || atMs === Infinity) return;
    const delayMs = atMs - clock.now();
    if (delayMs <= 0) this.wake();
    else this.#cancelTimer = clock.after(delayMs, () => this.wake());
  }
}
