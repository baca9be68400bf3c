import { choose } from '../../src/master/queue/choose.ts';
import { queueOrder } from '../../src/master/queue/queue-order.ts';
import type { QueueState } from '../../src/master/queue/queue-state.ts';
import type { LockAccess, LockClaim, LockShape } from '../../src/model/lock.ts';
import { figure, quantile } from './figure.ts';
import type { Figure } from './figure.ts';
import { lockFarm, lockFarmState, requestsOf } from './lock-farm.ts';

const COUNTS = [1_000, 10_000, 100_000];
const RUNS = 15;

/**
 * One choice over a busy farm: 200 builders, 50 workers half full, 100 locks (of the farm, of workers, of hosts) that are all
 * held but for a slot. The limit is a sort of the same requests; and all reasons, which are put together for whoever asks.
 */
export function choice(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const count of COUNTS) {
    const state = busyFarm(count);
    const sortMs = median(() => state.requests.toSorted(queueOrder).length);
    figures.push(
      figure(
        `choose ${count} waiting`,
        median(() => choose(state).pairs.length),
        sortMs,
        'ms',
      ),
      figure(
        `choose ${count} waiting, with reasons`,
        median(() => choose(state).reasons.size),
        sortMs,
        'ms',
      ),
    );
  }
  return Promise.resolve(figures);
}

function busyFarm(count: number): QueueState {
  const locks = Array.from({ length: 100 }, (_, at): LockShape => ({
    name: `l${at}`,
    scope: at < 80 ? 'farm' : at < 90 ? 'worker' : 'host',
    slots: 4,
    slotsFor: {},
  }));
  const config = lockFarm(locks, (_, chance) => {
    const first = Math.floor(chance() * 100);
    return [first, (first + 37) % 100].map((at): LockAccess => {
      const { name, scope } = locks[at] ?? { name: '', scope: 'farm' };
      return chance() < 0.3
        ? { lock: name, scope, mode: 'exclusive', units: 1 }
        : { lock: name, scope, mode: 'counting', units: 1 + Math.floor(chance() * 2) };
    });
  });
  const claims = locks.slice(0, 80).map(({ name }, at): LockClaim => ({
    owner: { buildId: at + 1 },
    key: `farm/${name}`,
    mode: 'counting',
    units: 3,
    sinceMs: 0,
  }));
  return { ...lockFarmState(config, requestsOf(config, count), 4), claims };
}

function median(work: () => number): number {
  const times = Array.from({ length: RUNS }, () => {
    const beganAt = performance.now();
    work();
    return performance.now() - beganAt;
  });
  return quantile(times, 0.5);
}
