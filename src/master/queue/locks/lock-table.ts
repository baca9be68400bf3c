import { lockKey, readLockKey, slotsAt } from '../../../model/lock.ts';
import type { LockAccess, LockClaim, LockShape } from '../../../model/lock.ts';
import type { QueueState } from '../queue-state.ts';
import { KeyUnits } from '../../../model/key-units.ts';
import type { Ask } from '../../../model/key-units.ts';

/** Of a lock that no configuration in use knows. */
const UNKNOWN_SLOTS = 1;

/** All keys during one walk along the queue. */
export class LockTable {
  readonly #state: QueueState;
  readonly #locks: ReadonlyMap<string, LockShape>;
  readonly #hosts: ReadonlyMap<string, string | undefined>;
  readonly #claims = new Map<string, LockClaim[]>();
  readonly #keys = new Map<string, KeyUnits>();
  readonly #lines = new Map<number, readonly number[]>();

  /** `claims`: of the state, or those of them that are looked at. */
  constructor(state: QueueState, claims = state.claims) {
    this.#state = state;
    this.#locks = new Map(state.config.locks.map((lock) => [lock.name, lock]));
    this.#hosts = new Map(state.config.workers.map(({ name, host }) => [name, host]));
    for (const claim of claims) {
      const others = this.#claims.get(claim.key);
      if (others) others.push(claim);
      else this.#claims.set(claim.key, [claim]);
    }
  }

  /** What these accesses ask for on that worker. */
  asks(accesses: readonly LockAccess[], worker: string): readonly Ask[] {
    return accesses
      .filter(({ units }) => units > 0)
      .map((access) => {
        const { mode, units } = access;
        const key = lockKey(access, worker, this.#hosts.get(worker));
        return { of: this.key(key), wish: { key, mode, units } };
      });
  }

  key(key: string): KeyUnits {
    let units = this.#keys.get(key);
    if (!units) {
      units = new KeyUnits(key, this.#slots(key), this.#claims.get(key) ?? [], (build) => this.line(build));
      this.#keys.set(key, units);
    }
    return units;
  }

  /** A build, the one that waits for it, the one that waits for that, and so on. */
  line(build: number): readonly number[] {
    const known = this.#lines.get(build);
    if (known) return known;
    const line = new Set<number>();
    for (let at: number | undefined = build; at !== undefined && !line.has(at);) {
      line.add(at);
      at = this.#state.builds.get(at)?.parent;
    }
    const builds = [...line];
    this.#lines.set(build, builds);
    return builds;
  }

  #slots(key: string): number {
    const { scope, lock, place } = readLockKey(key);
    const active = this.#locks.get(lock);
    const shape = active?.scope === scope ? active : this.#state.formerLocks.get(lock);
    return shape?.scope === scope ? slotsAt(shape, place) : UNKNOWN_SLOTS;
  }
}
