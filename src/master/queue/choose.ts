import type { BuilderShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { LockTake, LockWait } from '../../model/lock.ts';
import { Farm } from './farm.ts';
import type { Ask } from './locks/key-units.ts';
import { lockReason } from './locks/lock-reason.ts';
import type { Blocked } from './locks/lock-reason.ts';
import { LockTable } from './locks/lock-table.ts';
import { fitAll, reserveAll, takeAll } from './locks/take-or-reserve.ts';
import { queueOrder, rankOf } from './queue-order.ts';
import type { Choice, Grant, Pair, QueueState } from './queue-state.ts';

/**
 * Walks the queue in its order. First the steps of running builds that wait for locks, then the requests: each gets all its
 * locks and the least loaded of its workers that has room (of equals the one its builder used last, then the first by name).
 * What locks alone hold up keeps its place: what it asks for is reserved against those behind it. What cannot start for any
 * other cause holds up nobody.
 */
export function choose(state: QueueState): Choice {
  const table = new LockTable(state);
  const { grants, blocked } = grantSteps(state, table);
  const { pairs, waiting } = new RequestWalk(state, table).walk();
  return {
    pairs,
    grants,
    cycles: [],
    get reasons() {
      return new Map(Array.from(waiting, ([id, why]) => [id, why()]));
    },
    get stepReasons() {
      return new Map(Array.from(blocked, ([build, why]) => [build, lockReason(why, state)]));
    },
  };
}

function grantSteps(
  state: QueueState,
  table: LockTable,
): { grants: Grant[]; blocked: Map<number, readonly Blocked[]> } {
  const grants: Grant[] = [];
  const blocked = new Map<number, readonly Blocked[]>();
  for (const { owner, accesses, worker } of state.waits.toSorted(waitOrder)) {
    const asks = table.asks(accesses, worker);
    const line = table.line(owner.buildId);
    if (fitAll(asks, line)) grants.push({ owner, locks: takeAll(asks, line) });
    else blocked.set(owner.buildId, reserveAll(asks, line));
  }
  return { grants, blocked };
}

/** By the place that the build had in the queue, then by who waits for longer. */
export function waitOrder(a: LockWait, b: LockWait): number {
  return rankOf(a) - rankOf(b) || a.sinceMs - b.sinceMs || a.owner.buildId - b.owner.buildId;
}

/** A builder during one walk. */
interface Place {
  readonly builder: BuilderShape;
  readonly lastUsed: string | undefined;
  /** What it asks for on any of its workers, and on one more than that. */
  readonly ofFarm: readonly Ask[];
  readonly byWorker: ReadonlyMap<string, readonly Ask[]> | undefined;
  /** None of its workers takes one more build. */
  isFull: boolean;
}

class RequestWalk {
  readonly #state: QueueState;
  readonly #table: LockTable;
  readonly #farm: Farm;
  readonly #builders = new Map<string, BuilderShape>();
  readonly #places = new Map<string, Place>();
  readonly #pairs: Pair[] = [];
  /** Reasons are put into words for whoever asks. */
  readonly #waiting = new Map<number, () => string>();

  constructor(state: QueueState, table: LockTable) {
    this.#state = state;
    this.#table = table;
    this.#farm = new Farm(state);
    for (const project of state.config.projects) {
      for (const builder of project.builders) this.#builders.set(`${project.name}/${builder.name}`, builder);
    }
  }

  walk(): { pairs: readonly Pair[]; waiting: ReadonlyMap<number, () => string> } {
    for (const request of this.#state.requests.toSorted(queueOrder)) {
      const hold = this.#state.holds.get(request.id);
      if (hold) this.#waiting.set(request.id, () => hold.text);
      else this.#visit(request);
    }
    return { pairs: this.#pairs, waiting: this.#waiting };
  }

  #visit(request: BuildRequest): void {
    const { id } = request;
    const place = this.#placeOf(request);
    if (!place) {
      const target = `${request.project}/${request.builder}`;
      this.#waiting.set(id, () => `builder ${target} is gone from the configuration`);
      return;
    }
    const { builder, lastUsed, ofFarm, byWorker } = place;
    const names = place.isFull ? [] : builder.workers.filter((name) => this.#farm.hasRoom(name));
    place.isFull = names.length === 0;
    const open = names.filter((name) => this.#farm.veto(id, name) === undefined);
    if (open.length === 0) {
      this.#waiting.set(id, () => this.#farm.whyNone(builder, id));
      return;
    }
    const line = this.#lineOf(request);
    const fitting = fitAll(ofFarm, line) ? open.filter((name) => fitAll(byWorker?.get(name) ?? [], line)) : [];
    const worker = this.#farm.best(fitting, lastUsed);
    if (worker === undefined) {
      const blocked = reserveAll([...ofFarm, ...(byWorker?.get(keptPlace(open)) ?? [])], line);
      this.#waiting.set(id, () => lockReason(blocked, this.#state));
      return;
    }
    this.#farm.give(worker);
    const locks: LockTake[] = [...takeAll(ofFarm, line), ...takeAll(byWorker?.get(worker) ?? [], line)];
    this.#pairs.push({ request, worker, builder, locks });
  }

  #placeOf({ project, builder: name }: BuildRequest): Place | undefined {
    const target = `${project}/${name}`;
    const known = this.#places.get(target);
    if (known) return known;
    const builder = this.#builders.get(target);
    if (!builder) return undefined;
    const ofFarm = builder.locks.filter(({ scope }) => scope === 'farm');
    const others = builder.locks.filter(({ scope }) => scope !== 'farm');
    const place: Place = {
      builder,
      lastUsed: this.#state.lastUsed.get(target),
      ofFarm: this.#table.asks(ofFarm, ''),
      byWorker:
        others.length === 0
          ? undefined
          : new Map(builder.workers.map((worker) => [worker, this.#table.asks(others, worker)])),
      isFull: false,
    };
    this.#places.set(target, place);
    return place;
  }

  /** Whoever waits for it, and for that one; a request has no build yet, so its own place in the line is a number of its own. */
  #lineOf({ id, parent }: BuildRequest): readonly number[] {
    if (!parent?.waits || !this.#state.builds.has(parent.buildId)) return [];
    return [-id, ...this.#table.line(parent.buildId)];
  }
}

/**
 * Where a request that may go to several workers keeps its place, so that a lock of theirs is in the end free for it on one of
 * them; on the others it holds up nobody.
 */
function keptPlace(workers: readonly string[]): string {
  return workers.reduce((first, name) => (name < first ? name : first));
}
