import type { LockTake } from '../../../model/lock.ts';
import type { Ask } from '../../../model/key-units.ts';
import type { Blocked } from './lock-waiter.ts';

export function fitAll(asks: readonly Ask[], line: readonly number[]): boolean {
  return asks.every(({ of, wish }) => of.fits(wish, line));
}

/** Whoever is ahead. */
export function fitAllBesideHeld(asks: readonly Ask[], line: readonly number[]): boolean {
  return asks.every(({ of, wish }) => of.fitsBesideHeld(wish, line));
}

export function takeAll(asks: readonly Ask[], line: readonly number[]): readonly LockTake[] {
  return asks.map(({ of, wish }) => of.take(wish, line));
}

/** Keeps a place with each of the keys, also with those that are free: whoever asks for several is not starved. */
export function reserveAll(asks: readonly Ask[], line: readonly number[]): readonly Blocked[] {
  const blocked = asks
    .filter(({ of, wish }) => !of.fits(wish, line))
    .map((ask) => ({ ask, ahead: ask.of.ahead(line) }));
  for (const { of, wish } of asks) of.reserve(wish, line);
  return blocked;
}
