import type { LockAccess, LockShape } from '../model/lock.ts';
import type { CheckedConfig } from './config-schema.ts';
import type { CheckedLock } from './lock-schema.ts';

/** All locks that the configuration asks for, one for each name, sorted by it. */
export function lockShapes(config: CheckedConfig): readonly LockShape[] {
  const locks = new Map(locksOf(config).map((lock) => [lock.name, lockShape(lock)]));
  return [...locks.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Each place where a lock is asked for. */
export function locksOf({ projects }: CheckedConfig): readonly CheckedLock[] {
  return projects.flatMap(({ builders }) =>
    builders.flatMap(({ locks = [], steps }) => [...locks, ...steps.flatMap((step) => step.locks ?? [])]),
  );
}

export function lockShape({ name, scope, slots, slotsFor = {} }: CheckedLock): LockShape {
  return { name, scope, slots, slotsFor };
}

export function accessShapes(wishes: readonly CheckedLock[] = []): readonly LockAccess[] {
  return wishes.map((wish): LockAccess => {
    const { name: lock, scope } = wish;
    return wish.kind === 'lock'
      ? { lock, scope, mode: 'counting', units: 1 }
      : { lock, scope, mode: wish.mode, units: wish.units };
  });
}
