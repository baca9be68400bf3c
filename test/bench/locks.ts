import { choose } from '../../src/master/queue/choose.ts';
import type { QueueState } from '../../src/master/queue/queue-state.ts';
import type { LockClaim, LockShape } from '../../src/model/lock.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';
import { lockFarm, lockFarmState, requestsOf } from './lock-farm.ts';

const COUNTS = [1_000, 10_000];

/**
 * So many requests wait for 100 exclusive locks; each round those that hold one end, and the next ones are chosen, until nobody
 * waits. The limit of a request: as much as one of the fewest takes; what grew with the square of them would take ten times that.
 */
export function locks(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  let fewest: number | null = null;
  drain(COUNTS[0] ?? 0); // so that the code is warm
  for (const count of COUNTS) {
    const beganAt = performance.now();
    const rounds = drain(count);
    const microseconds = ((performance.now() - beganAt) * 1_000) / count;
    figures.push(
      figure(`locks ${count} waiting, a request`, microseconds, fewest, 'µs'),
      figure(`locks ${count} waiting, a round`, (microseconds * count) / rounds / 1_000, null, 'ms'),
    );
    fewest ??= microseconds;
  }
  return Promise.resolve(figures);
}

function drain(count: number): number {
  const shapes = Array.from({ length: 100 }, (_, at): LockShape => ({
    name: `l${at}`,
    scope: 'farm',
    slots: 1,
    slotsFor: {},
  }));
  const config = lockFarm(shapes, (builder) => [
    { lock: `l${builder % 100}`, scope: 'farm', mode: 'exclusive', units: 1 },
  ]);
  let state: QueueState = lockFarmState(config, requestsOf(config, count));
  for (let rounds = 1; ; rounds++) {
    const { pairs } = choose(state);
    if (pairs.length === 0) throw new Error(`${state.requests.length} wait for nobody`);
    const started = new Set(pairs.map(({ request }) => request.id));
    const requests = state.requests.filter(({ id }) => !started.has(id));
    if (requests.length === 0) return rounds;
    // What they took is held while the others are looked at, and then free again.
    const claims = pairs.flatMap(({ request, locks }) =>
      locks.map(({ key, mode, units }): LockClaim => ({
        key,
        mode,
        units,
        owner: { buildId: request.id },
        sinceMs: 0,
      })),
    );
    const held = choose({ ...state, requests, claims });
    if (held.pairs.some(({ locks }) => locks.some(({ key }) => claims.some((claim) => claim.key === key)))) {
      throw new Error('a lock was given twice');
    }
    state = { ...state, requests };
  }
}
