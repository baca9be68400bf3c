import type { LockWait } from '../../model/lock.ts';
import { findCycles } from './locks/cycles.ts';
import { lockReason } from './locks/lock-reason.ts';
import { LockTable } from './locks/lock-table.ts';
import type { LockWaiter } from './locks/lock-waiter.ts';
import { standing } from './locks/standstill.ts';
import { fitAll, fitAllBesideHeld, reserveAll, takeAll } from './locks/take-or-reserve.ts';
import { rankOf } from './queue-order.ts';
import type { Choice, Cycle, Grant, QueueState } from './queue-state.ts';
import { RequestWalk } from './request-walk.ts';

/**
 * Walks the queue in its order. First the steps of running builds that wait for locks, then the requests: each gets all its
 * locks and the least loaded of its workers that has room (of equals the one its builder used last, then the first by name).
 * What locks alone hold up keeps its place: what it asks for is reserved against those behind it. What cannot start for any
 * other cause holds up nobody.
 */
export function choose(state: QueueState): Choice {
  const { walk, grants, cycles } = decide(state, false);
  let told: Decision | undefined;
  // Most rounds want no reasons, and those who ask for them want them of all.
  const thorough = (): Decision => (told ??= decide(state, true));
  return {
    pairs: walk.pairs,
    grants,
    cycles,
    get reasons() {
      return thorough().walk.reasons();
    },
    get stepReasons() {
      return thorough().stepReasons();
    },
  };
}

interface Decision {
  readonly walk: RequestWalk;
  readonly grants: readonly Grant[];
  readonly cycles: readonly Cycle[];
  readonly stepReasons: () => ReadonlyMap<number, string>;
}

function decide(state: QueueState, isThorough: boolean): Decision {
  const table = new LockTable(state);
  const grants: Grant[] = [];
  const steps: LockWaiter[] = [];
  for (const wait of state.waits.toSorted(waitOrder)) {
    const waiter = visitStep(state, table, wait);
    if ('locks' in waiter) grants.push(waiter);
    else steps.push(waiter);
  }
  const walk = new RequestWalk(state, table, isThorough);
  walk.walk();
  const waiters = [...steps, ...walk.waiters.values()];
  const cycles = findCycles(state, standing(state, waiters.filter(hasLine), { heedsPlaces: false }));
  // A circle of locks is ended by whoever reads this, and what stands behind it goes on by itself.
  if (cycles.length === 0) {
    for (const waiter of heldUpForNothing(state, waiters)) {
      if ('requestId' in waiter.owner) walk.letPast(waiter);
      else if (fitAllBesideHeld(waiter.kept, waiter.line))
        grants.push({ owner: waiter.owner, locks: takeAll(waiter.kept, waiter.line) });
    }
  }
  const stepReasons = (): ReadonlyMap<number, string> => {
    const granted = new Set(grants.map(({ owner }) => owner.buildId));
    const waiting = steps.filter(({ line: [build] }) => build !== undefined && !granted.has(build));
    return new Map(waiting.map((waiter) => [waiter.line[0] ?? 0, lockReason(waiter, state)]));
  };
  return { walk, grants, cycles, stepReasons };
}

/** By the place that the build had in the queue, then by who waits for longer. */
export function waitOrder(a: LockWait, b: LockWait): number {
  return rankOf(a) - rankOf(b) || a.sinceMs - b.sinceMs || a.owner.buildId - b.owner.buildId;
}

function visitStep(
  state: QueueState,
  table: LockTable,
  { owner, accesses, worker, sinceMs }: LockWait,
): Grant | LockWaiter {
  const asks = table.asks(accesses, worker);
  const line = table.line(owner.buildId);
  if (fitAll(asks, line)) return { owner, locks: takeAll(asks, line) };
  const project = state.builds.get(owner.buildId)?.project ?? '';
  return { owner, project, line, choices: [asks], kept: asks, blocked: reserveAll(asks, line), sinceMs };
}

function hasLine({ line }: LockWaiter): boolean {
  return line.length > 0;
}

/**
 * Those that only a place ahead of them holds up, whose keeper waits, by way of others maybe, for them: it would stand still for
 * ever, so they go past it.
 */
function heldUpForNothing(state: QueueState, waiters: readonly LockWaiter[]): readonly LockWaiter[] {
  const lenders = new Set(state.claims.map(({ owner }) => owner.buildId));
  const isHeldUp = ({ line, choices }: LockWaiter): boolean =>
    line.some((build) => lenders.has(build)) && choices.some((asks) => fitAllBesideHeld(asks, line));
  if (!waiters.some(isHeldUp)) return [];
  return standing(state, waiters, { heedsPlaces: true }).filter(isHeldUp);
}
