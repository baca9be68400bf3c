/** Where a lock has slots of its own: once for the farm, on each worker, or on each host of workers. */
export type LockScope = 'farm' | 'worker' | 'host';

/** counting: so many units of it; exclusive: all of it, beside nobody. */
export type LockMode = 'counting' | 'exclusive';

export const LARGEST_SLOTS = 1_000_000;

/** A lock, as a configuration has it. */
export interface LockShape {
  readonly name: string;
  readonly scope: LockScope;
  readonly slots: number;
  /** By worker or host, where it has another number of them. */
  readonly slotsFor: Readonly<Record<string, number>>;
}

/** What a builder or a step asks of a lock. */
export interface LockAccess {
  readonly lock: string;
  readonly scope: LockScope;
  readonly mode: LockMode;
  /** Of an exclusive one 1, whatever the lock has. 0 units are had by whoever asks, and kept nowhere. */
  readonly units: number;
}

/** Who holds or waits: a build, or one of its steps. */
export interface LockOwner {
  readonly buildId: number;
  readonly step?: number;
}

/** Units of one key: `farm/NAME`, `worker/NAME/WORKER` or `host/NAME/HOST`. */
export interface LockUnits {
  readonly key: string;
  readonly mode: LockMode;
  readonly units: number;
}

/** Units that may be taken now, and how many slots the key has. */
export interface LockTake extends LockUnits {
  readonly slots: number;
}

/** Units that are held. */
export interface LockClaim extends LockUnits {
  readonly owner: LockOwner;
  readonly sinceMs: number;
  /** The build that waits for the owner's. */
  readonly parent?: number;
}

/** A step of a running build that waits for its locks. */
export interface LockWait {
  readonly owner: Required<LockOwner>;
  readonly accesses: readonly LockAccess[];
  readonly worker: string;
  /** Of the build's request, as `rankAtMs`: the place that the request had in the queue. */
  readonly priority: number;
  readonly rankAtMs: number;
  readonly sinceMs: number;
}

/** The key of a lock for a build on that worker. A worker without a host counts as a host of its own. */
export function lockKey({ lock, scope }: LockAccess, worker: string, host = worker): string {
  if (scope === 'farm') return `farm/${lock}`;
  return `${scope}/${lock}/${scope === 'worker' ? worker : host}`;
}

const KEY = /^(farm|worker|host)\/([^/]+)(?:\/(.+))?$/s;

/** The scope, the lock, and the worker or host of a key. */
export function readLockKey(key: string): {
  readonly scope: LockScope;
  readonly lock: string;
  readonly place?: string;
} {
  const [, scope, lock, place] = KEY.exec(key) ?? [];
  if (scope === undefined || lock === undefined) throw new Error(`${JSON.stringify(key)} is no key of a lock`);
  return { scope: scope as LockScope, lock, ...(place !== undefined && { place }) };
}

/** How many slots a lock has on a worker or host; of the farm there is no place. */
export function slotsAt({ slots, slotsFor }: LockShape, place: string | undefined): number {
  if (place === undefined || !Object.hasOwn(slotsFor, place)) return slots;
  return slotsFor[place] ?? slots;
}
