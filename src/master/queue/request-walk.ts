import type { BuilderShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import { Farm } from './farm.ts';
import type { Ask } from '../../model/key-units.ts';
import { lockReason } from './locks/lock-reason.ts';
import type { LockTable } from './locks/lock-table.ts';
import type { LockWaiter } from './locks/lock-waiter.ts';
import { fitAll, fitAllBesideHeld, reserveAll, takeAll } from './locks/take-or-reserve.ts';
import { queueOrder } from './queue-order.ts';
import type { Pair, QueueState } from './queue-state.ts';

/** A builder during one walk. */
interface Target {
  readonly builder: BuilderShape;
  readonly lastUsed: string | undefined;
  /** What it asks for wherever it is built, and by worker what it asks for there in all; absent: nothing more. */
  readonly ofFarm: readonly Ask[];
  readonly byWorker: ReadonlyMap<string, readonly Ask[]> | undefined;
  /** None of its workers takes one more build. */
  isFull: boolean;
}

/** The requests in the order of the queue, and what becomes of each. */
export class RequestWalk {
  readonly pairs: Pair[] = [];
  /** Those that only locks hold up, by request. */
  readonly waiters = new Map<number, LockWaiter>();
  readonly #state: QueueState;
  readonly #table: LockTable;
  readonly #farm: Farm;
  readonly #builders = new Map<string, BuilderShape>();
  readonly #targets = new Map<string, Target>();
  readonly #others: BuildRequest[] = [];

  constructor(state: QueueState, table: LockTable) {
    this.#state = state;
    this.#table = table;
    this.#farm = new Farm(state);
    for (const project of state.config.projects) {
      for (const builder of project.builders) this.#builders.set(`${project.name}/${builder.name}`, builder);
    }
  }

  walk(): void {
    for (const request of this.#state.requests.toSorted(queueOrder)) {
      const target = this.#state.holds.has(request.id) ? undefined : this.#targetOf(request);
      if (!target || !this.#visit(request, target)) this.#others.push(request);
    }
  }

  /** Gives one of the waiters what is free for it, whoever is ahead of it. */
  letPast(waiter: LockWaiter): void {
    const { owner, line } = waiter;
    const request = this.#state.requests.find(({ id }) => 'requestId' in owner && id === owner.requestId);
    const target = request && this.#targetOf(request);
    if (!target) return;
    const fitting = this.#open(request, target).filter((name) => fitAllBesideHeld(asksOn(target, name), line));
    if (this.#give(request, target, fitting, line)) this.waiters.delete(request.id);
  }

  /** Why each request waits that was given to no worker. */
  reasons(): ReadonlyMap<number, string> {
    const reasons = new Map<number, string>();
    for (const [id, waiter] of this.waiters) reasons.set(id, lockReason(waiter, this.#state));
    for (const request of this.#others) reasons.set(request.id, this.#reason(request));
    return reasons;
  }

  #reason(request: BuildRequest): string {
    const hold = this.#state.holds.get(request.id);
    if (hold) return hold.text;
    const target = this.#targetOf(request);
    if (target) return this.#farm.whyNone(target.builder, request);
    return `builder ${request.project}/${request.builder} is gone from the configuration`;
  }

  /** False: it waits for something else than locks. */
  #visit(request: BuildRequest, target: Target): boolean {
    if (target.isFull) return false;
    const open = this.#open(request, target);
    if (open.length === 0) return false;
    const line = this.#lineOf(request);
    const fitting = this.#fitting(target, open, line);
    if (this.#give(request, target, fitting, line)) return true;
    const { id, project, submittedAtMs } = request;
    const kept = asksOn(target, keptPlace(open));
    const choices = target.byWorker ? open.map((name) => asksOn(target, name)) : [target.ofFarm];
    const blocked = reserveAll(kept, line);
    this.waiters.set(id, { owner: { requestId: id }, project, line, choices, kept, blocked, sinceMs: submittedAtMs });
    return true;
  }

  /** Its workers that take one more build. */
  #open(request: BuildRequest, target: Target): readonly string[] {
    const roomy = target.builder.workers.filter((name) => this.#farm.hasRoom(name));
    target.isFull = roomy.length === 0;
    return roomy.filter((name) => this.#farm.isFor(request, name));
  }

  /** Those workers on which it can have all its locks. */
  #fitting({ ofFarm, byWorker }: Target, names: readonly string[], line: readonly number[]): readonly string[] {
    if (!fitAll(ofFarm, line)) return [];
    return byWorker ? names.filter((name) => fitAll(byWorker.get(name) ?? [], line)) : names;
  }

  #give(request: BuildRequest, target: Target, names: readonly string[], line: readonly number[]): boolean {
    const worker = this.#farm.best(names, target.lastUsed);
    if (worker === undefined) return false;
    this.#farm.give(worker);
    this.pairs.push({ request, worker, builder: target.builder, locks: takeAll(asksOn(target, worker), line) });
    return true;
  }

  #targetOf({ project, builder: name }: BuildRequest): Target | undefined {
    const target = `${project}/${name}`;
    const known = this.#targets.get(target);
    if (known) return known;
    const builder = this.#builders.get(target);
    if (!builder) return undefined;
    const { locks, workers } = builder;
    const made: Target = {
      builder,
      lastUsed: this.#state.lastUsed.get(target),
      ofFarm: this.#table.asks(
        locks.filter(({ scope }) => scope === 'farm'),
        '',
      ),
      byWorker: locks.every(({ scope }) => scope === 'farm')
        ? undefined
        : new Map(workers.map((worker) => [worker, this.#table.asks(locks, worker)])),
      isFull: false,
    };
    this.#targets.set(target, made);
    return made;
  }

  /** Itself, under a number that no build has, and those that wait for it. */
  #lineOf({ id, parent }: BuildRequest): readonly number[] {
    if (!parent?.waits || !this.#state.builds.has(parent.buildId)) return [];
    return [-id, ...this.#table.line(parent.buildId)];
  }
}

function asksOn({ ofFarm, byWorker }: Target, worker: string): readonly Ask[] {
  return byWorker?.get(worker) ?? ofFarm;
}

/**
 * Where a request that may go to several workers keeps its place, so that in the end a lock of theirs is free for it on one of
 * them; on the others it holds up nobody.
 */
function keptPlace(workers: readonly string[]): string {
  return workers.reduce((first, name) => (name < first ? name : first));
}
