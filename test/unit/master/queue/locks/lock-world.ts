import type { BuilderShape } from '../../../../../src/config/shape.ts';
import type { Choice, QueueState } from '../../../../../src/master/queue/queue-state.ts';
import type { BuildRequest } from '../../../../../src/model/build-request.ts';
import type { LockAccess, LockClaim, LockShape, LockTake, LockWait } from '../../../../../src/model/lock.ts';
import { builderShape, configShape, here, NOW, queueState, request } from '../queue-farm.ts';

export type Granted = Pick<Choice, 'pairs' | 'grants'>;

interface WorldBuild {
  readonly id: number;
  readonly request: BuildRequest;
  readonly worker: string;
  /** Of the step that runs with locks, or waits for them. */
  step: number;
}

/** How many builds each of the workers takes; two of them are on one host. */
const WORKERS = { a: 5, b: 6, c: 4 };
const HOSTS: Readonly<Record<string, string>> = { a: 'vm1', b: 'vm1', c: 'vm2' };

/** A farm of which only the queue, the locks and the workers' seats are there, in memory: what a choice is made from, and what it does. */
export class LockWorld {
  locks: readonly LockShape[];
  readonly builders: readonly BuilderShape[];
  readonly requests = new Map<number, BuildRequest>();
  readonly builds = new Map<number, WorldBuild>();
  readonly waits = new Map<number, LockWait>();
  claims: readonly LockClaim[] = [];
  #lastId = 0;
  #nowMs = NOW;

  constructor(locks: readonly LockShape[], builders: readonly BuilderShape[]) {
    this.locks = locks;
    this.builders = builders;
  }

  copy(): LockWorld {
    const copy = new LockWorld(this.locks, this.builders);
    for (const [id, one] of this.requests) copy.requests.set(id, one);
    for (const [id, one] of this.builds) copy.builds.set(id, { ...one });
    for (const [id, one] of this.waits) copy.waits.set(id, one);
    copy.claims = this.claims;
    copy.#lastId = this.#lastId;
    copy.#nowMs = this.#nowMs;
    return copy;
  }

  state(): QueueState {
    const running = Array.from(this.builds.values());
    const workers = Object.keys(WORKERS).map((name) => {
      return [name, here(running.filter(({ worker }) => worker === name).length)] as const;
    });
    return queueState({
      config: configShape(WORKERS, this.builders, {
        locks: this.locks,
        workers: Object.entries(WORKERS).map(([name, maxBuilds]) => ({ name, maxBuilds, host: HOSTS[name] ?? '' })),
      }),
      requests: [...this.requests.values()],
      workers: new Map(workers),
      builds: new Map(
        running.map(({ id, request: { project, builder, parent } }) => [
          id,
          { id, number: id, project, builder, ...(parent && { parent: parent.buildId }) },
        ]),
      ),
      claims: this.claims,
      waits: [...this.waits.values()],
      nowMs: this.#nowMs,
    });
  }

  /** As a child that `parent` waits for, if there is one. */
  submit(builder: string, priority: number, parent?: number): void {
    const id = this.#next();
    const place = parent === undefined ? undefined : this.builds.get(parent)?.request;
    this.requests.set(id, {
      ...request(id, builder, place?.priority ?? priority, this.#nowMs),
      ...(place && { rankAtMs: place.rankAtMs, parent: { buildId: parent ?? 0, waits: true } }),
    });
  }

  /** The next step of a build, which wants locks. */
  want(id: number, accesses: readonly LockAccess[]): void {
    const build = this.builds.get(id);
    if (!build) throw new Error(`there is no build ${id}`);
    build.step += 1;
    this.endStep(id);
    const { priority, rankAtMs } = build.request;
    const owner = { buildId: id, step: build.step };
    this.#nowMs += 1;
    this.waits.set(id, { owner, accesses, worker: build.worker, priority, rankAtMs, sinceMs: this.#nowMs });
  }

  endStep(id: number): void {
    this.claims = this.claims.filter(({ owner }) => owner.buildId !== id || owner.step === undefined);
  }

  finish(id: number): void {
    this.builds.delete(id);
    this.waits.delete(id);
    this.claims = this.claims.filter(({ owner }) => owner.buildId !== id);
  }

  /** Whether it is neither held up by locks nor by a child. */
  isFree(id: number): boolean {
    const children = [...this.requests.values(), ...Array.from(this.builds.values(), (build) => build.request)];
    return !this.waits.has(id) && !children.some(({ parent }) => parent?.buildId === id);
  }

  commit({ pairs, grants }: Granted): void {
    for (const { owner, locks } of grants) {
      this.waits.delete(owner.buildId);
      this.#hold(owner, locks);
    }
    for (const { request, worker, locks } of pairs) {
      this.requests.delete(request.id);
      const id = this.#next();
      this.builds.set(id, { id, request, worker, step: 0 });
      this.#hold({ buildId: id }, locks);
    }
  }

  #hold(owner: LockClaim['owner'], locks: readonly LockTake[]): void {
    const taken = locks.map(({ key, mode, units }) => ({ key, mode, units, owner, sinceMs: this.#nowMs }));
    this.claims = [...this.claims, ...taken];
  }

  #next(): number {
    this.#lastId += 1;
    this.#nowMs += 1;
    return this.#lastId;
  }
}

const access = (lock: string, scope: LockAccess['scope'], units: number): LockAccess => ({
  lock,
  scope,
  mode: units === 0 ? 'exclusive' : 'counting',
  units: units || 1,
});

/** Accesses by their numbers: of lock A, B (farm), C (worker) and D (host), of which 0 is exclusive and 5 nothing. */
export function accessesOf([a = 5, b = 5, c = 5, d = 5]: readonly number[]): readonly LockAccess[] {
  const all = [access('A', 'farm', a), access('B', 'farm', b), access('C', 'worker', c), access('D', 'host', d)];
  return all.filter((_, at) => [a, b, c, d][at] !== 5);
}

export function locksOf([a = 1, b = 1, c = 1, d = 1]: readonly number[]): readonly LockShape[] {
  return [
    { name: 'A', scope: 'farm', slots: a, slotsFor: {} },
    { name: 'B', scope: 'farm', slots: b, slotsFor: {} },
    { name: 'C', scope: 'worker', slots: c, slotsFor: { b: c + 1 } },
    { name: 'D', scope: 'host', slots: d, slotsFor: {} },
  ];
}

export function buildersOf(wishes: readonly (readonly number[])[]): readonly BuilderShape[] {
  const on = [['a', 'b'], ['b', 'c'], ['c'], ['a', 'b', 'c']];
  return wishes.map((wish, at) => builderShape(`b${at}`, on[at % on.length] ?? [], accessesOf(wish)));
}
