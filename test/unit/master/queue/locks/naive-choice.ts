import { rankOf } from '../../../../../src/master/queue/queue-order.ts';
import type { Grant, Pair, QueueState } from '../../../../../src/master/queue/queue-state.ts';
import { lockKey } from '../../../../../src/model/lock.ts';
import type { LockAccess, LockTake, LockUnits } from '../../../../../src/model/lock.ts';
import type { Granted } from './lock-world.ts';

/** Units that somebody has or keeps: a build, or a request under its negative number. */
interface Entry extends LockUnits {
  readonly node: number;
  readonly isHeld: boolean;
}

/** What the rules of locks come to, said as simply as can be: everything is counted anew for each wish, from lists. */
export class NaiveChoice implements Granted {
  readonly grants: Grant[] = [];
  readonly pairs: Pair[] = [];
  readonly #state: QueueState;
  readonly #entries: Entry[];
  readonly #load: Map<string, number>;
  /** Nobody keeps a place: whoever can go goes. */
  readonly #isGreedy: boolean;

  constructor(state: QueueState, isGreedy = false) {
    this.#state = state;
    this.#isGreedy = isGreedy;
    this.#entries = state.claims.map((claim) => ({ ...claim, node: claim.owner.buildId, isHeld: true }));
    this.#load = new Map(Array.from(state.workers, ([name, { running }]) => [name, running]));
    const waits = state.waits.toSorted((a, b) => rankOf(a) - rankOf(b) || a.sinceMs - b.sinceMs);
    for (const { owner, accesses, worker } of waits) {
      const locks = this.#visit(owner.buildId, [accesses.map((access) => this.#units(access, worker))]);
      if (locks) this.grants.push({ owner, locks });
    }
    for (const request of state.requests.toSorted((a, b) => rankOf(a) - rankOf(b) || a.id - b.id)) {
      const builder = state.config.projects[0]?.builders.find(({ name }) => name === request.builder);
      if (!builder) continue;
      const open = builder.workers.filter((name) => this.#fill(name) < 1);
      // Where it keeps its place is the first by name.
      const workers = open.toSorted((a, b) => (a < b ? -1 : 1));
      const wishes = workers.map((name) => builder.locks.map((access) => this.#units(access, name)));
      const best = workers
        .map((name, at) => ({ name, wish: wishes[at] ?? [] }))
        .filter(({ wish }) => wish.every((units) => this.fits(units, -request.id)))
        .toSorted((a, b) => this.#fill(a.name) - this.#fill(b.name) || (a.name < b.name ? -1 : 1))[0];
      const locks = this.#visit(-request.id, best ? [best.wish] : wishes.slice(0, 1));
      if (!locks || !best) continue;
      this.#load.set(best.name, (this.#load.get(best.name) ?? 0) + 1);
      this.pairs.push({ request, worker: best.name, builder, locks });
    }
  }

  /** Whether units may be had behind all that is held and kept so far. */
  fits(wish: LockUnits, node: number): boolean {
    const { key } = wish;
    const of = this.#entries.filter((entry) => entry.key === key);
    const held = of.filter(({ isHeld }) => isHeld);
    const own: Entry = { ...this.#most(wish), node, isHeld: true };
    const isLent = this.#ancestors(node).some((ancestor) => held.some((entry) => entry.node === ancestor));
    if (!isLent) return this.#count(key, [...of, own]) <= this.slots(key);
    const root = this.#root(node);
    const isFamily = (entry: Entry): boolean => this.#root(entry.node) === root;
    const family = this.#count(key, [...of.filter(isFamily), own]);
    if (family <= this.#count(key, held.filter(isFamily))) return true;
    return (
      this.#count(
        key,
        held.filter((entry) => !isFamily(entry)),
      ) +
        family <=
      this.slots(key)
    );
  }

  /** Units that are taken of a key: of each build its own, or what its children have together if that is more. */
  taken(key: string): number {
    return this.#count(
      key,
      this.#entries.filter((entry) => entry.key === key && entry.isHeld),
    );
  }

  slots(key: string): number {
    const [, name, place] = key.split('/');
    const lock = this.#state.config.locks.find((one) => one.name === name);
    return lock?.slotsFor[place ?? ''] ?? lock?.slots ?? 1;
  }

  #visit(node: number, [wish]: readonly (readonly LockUnits[])[]): LockTake[] | undefined {
    if (!wish) return undefined;
    const isHeld = wish.every((units) => this.fits(units, node));
    if (isHeld || !this.#isGreedy) this.#entries.push(...wish.map((units) => ({ ...this.#most(units), node, isHeld })));
    return isHeld ? wish.map((units) => ({ ...units, slots: this.slots(units.key) })) : undefined;
  }

  /** Whoever asks for more than there is asks for all of it. */
  #most(wish: LockUnits): LockUnits {
    return { ...wish, units: Math.min(wish.units, this.#whole(wish.key)) };
  }

  #units(access: LockAccess, worker: string): LockUnits {
    const host = this.#state.config.workers.find(({ name }) => name === worker)?.host;
    return { key: lockKey(access, worker, host), mode: access.mode, units: access.units };
  }

  #fill(name: string): number {
    const max = this.#state.config.workers.find((worker) => worker.name === name)?.maxBuilds ?? 0;
    return (this.#load.get(name) ?? 0) / max;
  }

  #parent(node: number): number | undefined {
    if (node > 0) return this.#state.builds.get(node)?.parent;
    return this.#state.requests.find(({ id }) => id === -node)?.parent?.buildId;
  }

  #ancestors(node: number): readonly number[] {
    const parent = this.#parent(node);
    return parent === undefined ? [] : [parent, ...this.#ancestors(parent)];
  }

  #root(node: number): number {
    return this.#ancestors(node).at(-1) ?? node;
  }

  #count(key: string, entries: readonly Entry[]): number {
    return this.#tree(entries, this.#whole(key));
  }

  /** What somebody has who has all of a key: more than its slots when these were lowered since. */
  #whole(key: string): number {
    const claims = this.#entries.slice(0, this.#state.claims.length);
    const counting = claims.filter((entry) => entry.key === key && entry.mode === 'counting');
    return Math.max(this.slots(key), this.#tree(counting, 0));
  }

  #tree(entries: readonly Entry[], whole: number): number {
    const nodes = new Set(entries.flatMap(({ node }) => [node, ...this.#ancestors(node)]));
    const of = (node: number): number => {
      const own = entries
        .filter((entry) => entry.node === node)
        .map(({ mode, units }) => (mode === 'exclusive' ? whole : units));
      const children = [...nodes].filter((child) => this.#parent(child) === node).map(of);
      return Math.max(sum(own), sum(children));
    };
    return sum([...nodes].filter((node) => this.#parent(node) === undefined).map(of));
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
