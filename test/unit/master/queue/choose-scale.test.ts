import { expect, test } from 'vitest';
import { choose } from '../../../../src/master/queue/choose.ts';
import type { QueueState } from '../../../../src/master/queue/queue-state.ts';
import type { LockAccess, LockClaim, LockShape } from '../../../../src/model/lock.ts';
import { lockFarm, lockFarmState, requestsOf } from '../../../bench/lock-farm.ts';

const LOCKS = Array.from({ length: 100 }, (_, at): LockShape => ({
  name: `l${at}`,
  scope: 'farm',
  slots: 4,
  slotsFor: {},
}));

/** Counts every look at a fact of what it has wrapped. */
class Looks {
  count = 0;

  at<T extends object>(value: T): T {
    return new Proxy(value, {
      get: (target, key): unknown => {
        this.count += 1;
        return Reflect.get(target, key);
      },
    });
  }
}

/** How often one choice looks at what it is made of, with so many waiting and all locks but a slot of each held. */
function looksAmong(waiting: number): number {
  const config = lockFarm(LOCKS, (builder): readonly LockAccess[] =>
    [builder % 100, (builder * 7) % 100]
      .filter((at, n, all) => all.indexOf(at) === n)
      .map((at): LockAccess => ({ lock: `l${at}`, scope: 'farm', mode: at % 3 ? 'counting' : 'exclusive', units: 1 })),
  );
  const claims = LOCKS.map(({ name }, at): LockClaim => ({
    owner: { buildId: at + 1 },
    key: `farm/${name}`,
    mode: 'counting',
    units: 3,
    sinceMs: 0,
  }));
  const looks = new Looks();
  const plain = lockFarmState(config, requestsOf(config, waiting), 4);
  const state: QueueState = {
    ...plain,
    requests: plain.requests.map((one) => looks.at(one)),
    workers: new Map(Array.from(plain.workers, ([name, one]) => [name, looks.at(one)])),
    claims: claims.map((one) => looks.at(one)),
  };
  expect(choose(state).reasons.size).toBeGreaterThan(waiting / 2);
  return looks.count;
}

test('a queue ten times as long is ten times the work, and what a sort takes besides', () => {
  const few = looksAmong(500);
  const many = looksAmong(5_000);
  expect(few).toBeGreaterThan(500);
  expect(many / few).toBeLessThan((10 * Math.log2(5_000)) / Math.log2(500) + 1);
});
