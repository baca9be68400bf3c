import type { QueueState } from '../queue-state.ts';
import { LockTable } from './lock-table.ts';
import type { LockWaiter } from './lock-waiter.ts';

/**
 * Those of the waiters whose locks no build will ever give back, because all that hold them wait themselves, for locks or for
 * a child: whoever waits for nobody in the end finishes, and with it goes what it holds. `waiters` in the order of the queue;
 * with `heedsPlaces` also what is reserved for those ahead is in the way, until they go.
 */
export function standing(
  state: QueueState,
  waiters: readonly LockWaiter[],
  { heedsPlaces }: { readonly heedsPlaces: boolean },
): readonly LockWaiter[] {
  let rest = waiters;
  for (;;) {
    const builds = new Set(rest.flatMap(({ line }) => line));
    const claims = state.claims.filter(({ owner }) => builds.has(owner.buildId));
    if (claims.length === 0) return [];
    const table = new LockTable(state, claims);
    const still = rest.filter((waiter) => !passes(table, waiter, heedsPlaces));
    if (still.length === rest.length) return rest;
    rest = still;
  }
}

function passes(table: LockTable, { choices, kept, line }: LockWaiter, heedsPlaces: boolean): boolean {
  const isFree = choices.some((asks) =>
    asks.every(({ wish }) => {
      const key = table.key(wish.key);
      return heedsPlaces ? key.fits(wish, line) : key.fitsBesideHeld(wish, line);
    }),
  );
  if (!isFree && heedsPlaces) for (const { wish } of kept) table.key(wish.key).reserve(wish, line);
  return isFree;
}
