import type { LockAccess, LockShape } from '../model/lock.ts';
import type { CheckedBuilder, CheckedConfig } from './config-schema.ts';
import type { CheckedLock } from './lock-schema.ts';

/** All locks that the configuration names, one for each name, sorted by it. */
export function lockShapes(config: CheckedConfig): readonly LockShape[] {
  const locks = new Map(locksOf(config).map((lock) => [lock.name, lockShape(lock)]));
  return [...locks.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Each place where a lock is named. */
export function locksOf({ locks = [], projects }: CheckedConfig): readonly CheckedLock[] {
  const named = projects.flatMap(({ builders }) =>
    builders.flatMap((builder) => [...literalLocks(builder), ...builder.steps.flatMap((step) => step.locks ?? [])]),
  );
  return [...locks, ...named];
}

/** What all builds of a builder hold; none where a function says it of each. */
export function literalLocks({ locks = [] }: Pick<CheckedBuilder, 'locks'>): readonly CheckedLock[] {
  return typeof locks === 'function' ? [] : locks;
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
