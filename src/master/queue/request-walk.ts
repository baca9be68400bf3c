import type { BuilderShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { LockAccess } from '../../model/lock.ts';
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
  readonly locks: readonly LockAccess[];
  readonly lastUsed: string | undefined;
  /** What it asks for wherever it is built, and by worker, as far as was needed, what it asks for there in all; absent: nothing more. */
  readonly ofFarm: readonly Ask[];
  readonly byWorker: Map<string, readonly Ask[]> | undefined;
  /** None of its workers takes one more build. */
  isFull: boolean;
  /** Where a request of it kept its place last. */
  kept?: string;
}

const NOBODY: readonly number[] = [];

/** The requests in the order of the queue, and what becomes of each. */
export class RequestWalk {
  readonly pairs: Pair[] = [];
  /** Those that only locks hold up, by request. */
  readonly waiters = new Map<number, LockWaiter>();
  readonly #state: QueueState;
  readonly #table: LockTable;
  readonly #farm: Farm;
  readonly #builders: ReadonlyMap<string, ReadonlyMap<string, BuilderShape>>;
  /** By the builder, or the locks that its function has named. */
  readonly #targets = new Map<object, Target>();
  readonly #others: BuildRequest[] = [];
  readonly #isThorough: boolean;

  /** `isThorough`: also those of which it is known that they cannot go and hold up nobody are looked at, for their reasons. */
  constructor(state: QueueState, table: LockTable, isThorough: boolean) {
    this.#state = state;
    this.#table = table;
    this.#isThorough = isThorough;
    this.#farm = new Farm(state);
    this.#builders = new Map(
      state.config.projects.map(({ name, builders }) => [name, new Map(builders.map((one) => [one.name, one]))]),
    );
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
    const fitting = this.#open(request, target).filter((name) => fitAllBesideHeld(this.#asksOn(target, name), line));
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
    const line = this.#lineOf(request);
    if (!this.#isThorough && line.length === 0 && this.#isSpent(request, target)) return true;
    const open = this.#open(request, target);
    if (open.length === 0) return false;
    const fitting = this.#fitting(target, open, line);
    if (this.#give(request, target, fitting, line)) return true;
    const { id, project, submittedAtMs } = request;
    target.kept = keptPlace(open);
    const kept = this.#asksOn(target, target.kept);
    const choices = target.byWorker ? open.map((name) => this.#asksOn(target, name)) : [target.ofFarm];
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
  #fitting(target: Target, names: readonly string[], line: readonly number[]): readonly string[] {
    if (!fitAll(target.ofFarm, line)) return [];
    return target.byWorker ? names.filter((name) => fitAll(this.#asksOn(target, name), line)) : names;
  }

  /** A request of the target cannot have its locks, and its place would take nothing from those behind: as with the one before it. */
  #isSpent({ worker }: BuildRequest, { ofFarm, byWorker, kept }: Target): boolean {
    if (kept === undefined || ofFarm.length === 0 || !this.#farm.hasRoom(kept)) return false;
    if (worker !== undefined || this.#state.vetoes.size > 0) return false;
    return (byWorker?.get(kept) ?? ofFarm).every(({ of }) => of.isSpent);
  }

  #give(request: BuildRequest, target: Target, names: readonly string[], line: readonly number[]): boolean {
    const worker = this.#farm.best(names, target.lastUsed);
    if (worker === undefined) return false;
    this.#farm.give(worker);
    const { builder } = target;
    const choices = builder.functions?.nextWorker === undefined ? {} : { choices: names };
    this.pairs.push({ request, worker, builder, locks: takeAll(this.#asksOn(target, worker), line), ...choices });
    return true;
  }

  #targetOf({ id, project, builder: name }: BuildRequest): Target | undefined {
    const builder = this.#builders.get(project)?.get(name);
    if (!builder) return undefined;
    const own = this.#state.ownLocks?.get(id);
    const known = this.#targets.get(own ?? builder);
    if (known) return known;
    const locks = own ?? builder.locks;
    const ofFarm = this.#table.asks(
      locks.filter(({ scope }) => scope === 'farm'),
      '',
    );
    const made: Target = {
      builder,
      locks,
      lastUsed: this.#state.lastUsed.get(`${project}/${name}`),
      ofFarm,
      byWorker: locks.every(({ scope }) => scope === 'farm') ? undefined : new Map(),
      isFull: false,
    };
    this.#targets.set(own ?? builder, made);
    return made;
  }

  #asksOn({ locks, ofFarm, byWorker }: Target, worker: string): readonly Ask[] {
    if (!byWorker) return ofFarm;
    const known = byWorker.get(worker);
    if (known) return known;
    const asks = this.#table.asks(locks, worker);
    byWorker.set(worker, asks);
    return asks;
  }

  /** Itself, under a number that no build has, and those that wait for it. */
  #lineOf({ id, parent }: BuildRequest): readonly number[] {
    if (!parent?.waits || !this.#state.builds.has(parent.buildId)) return NOBODY;
    return [-id, ...this.#table.line(parent.buildId)];
  }
}

/**
 * Where a request that may go to several workers keeps its place, so that in the end a lock of theirs is free for it on one of
 * them; on the others it holds up nobody.
 */
function keptPlace(workers: readonly string[]): string {
  return workers.reduce((first, name) => (name < first ? name : first));
}
