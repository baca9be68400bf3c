import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../../../src/base/logger.ts';
import { LocalBus } from '../../../../src/bus/local-bus.ts';
import { openCodeHost } from '../../../../src/config/open-code-host.ts';
import { BuildIfs } from '../../../../src/master/queue/build-ifs.ts';
import { Complaints } from '../../../../src/master/queue/complaints.ts';
import { Distributor } from '../../../../src/master/queue/distributor.ts';
import { NextBuilds } from '../../../../src/master/queue/next-builds.ts';
import { NextWorkers } from '../../../../src/master/queue/next-workers.ts';
import { OwnLocks } from '../../../../src/master/queue/own-locks.ts';
import { Vetoes } from '../../../../src/master/queue/vetoes.ts';
import type { LockAccess, LockTake } from '../../../../src/model/lock.ts';
import { buildSet, claimOf, TempStore } from '../../../support/temp-store.ts';
import { until } from '../../../support/until.ts';
import { builderShape, configShape } from './queue-farm.ts';

const take = (name: string): LockTake => ({ key: `farm/${name}`, mode: 'exclusive', units: 1, slots: 1 });
const access = (lock: string): LockAccess => ({ lock, scope: 'farm', mode: 'exclusive', units: 1 });
const CONFIG = configShape({ w: 9 }, [builderShape('b', ['w'])], {
  locks: ['x', 'y'].map((name) => ({ name, scope: 'farm', slots: 1, slotsFor: {} })),
});

test('a circle that was never there in one moment ends nobody', async () => {
  const temp = await TempStore.make();
  onTestFinished(() => temp.remove());
  const store = await temp.open();
  const begin = async (...locks: readonly LockTake[]): Promise<number> => {
    const [request] = await store.requests.add(buildSet('b'));
    return (await store.requests.claim({ ...claimOf(request!.id), locks })).id;
  };
  const waits = async (buildId: number, step: number, lock: string): Promise<void> => {
    await store.builds.startStep(buildId, step, 3_000);
    await store.locks.wait({ buildId, step }, [access(lock)], 3_000);
  };
  const mover = await begin();
  await waits(mover, 0, 'x');
  await store.locks.grant({ buildId: mover, step: 0 }, [take('x')], 3_000);
  const holder = await begin(take('y'));
  await waits(holder, 0, 'x');

  // Between the readings of who holds and who waits, the step that holds x ends, and the next one of its build waits for y.
  let readings = 0;
  const locks = Object.create(store.locks, {
    waits: {
      value: async () => {
        readings += 1;
        if (readings === 1) {
          await store.builds.finishStep(mover, 0, 'success', undefined, 4_000);
          await waits(mover, 1, 'y');
        }
        return await store.locks.waits();
      },
    },
  });
  const vetoes = new Vetoes();
  const codeHost = openCodeHost({ logger: silentLogger });
  onTestFinished(() => codeHost.close());
  const choosers = {
    codeHost,
    store,
    vetoes,
    complaints: new Complaints(temp.clock, silentLogger),
    config: () => CONFIG,
    nowMs: () => temp.clock.now(),
    wake: () => undefined,
  };
  const distributor = new Distributor({
    buildIfs: new BuildIfs({ ...choosers, clock: temp.clock, logger: silentLogger }),
    ownLocks: new OwnLocks({ ...choosers, clock: temp.clock, logger: silentLogger }),
    nextBuilds: new NextBuilds(choosers),
    nextWorkers: new NextWorkers(choosers),
    vetoes,
    store: Object.create(store, { locks: { value: locks } }),
    bus: new LocalBus(silentLogger),
    clock: temp.clock,
    logger: silentLogger,
    connected: () => new Set(['w']),
    canMask: () => true,
    config: () => CONFIG,
    configOf: () => Promise.resolve(CONFIG),
    holds: [],
    nowMs: () => temp.clock.now(),
    start: () => undefined,
  });
  distributor.open();
  await until('both were read twice', () => readings >= 2);
  distributor.wake();
  await until('the one that may go has its lock', async () => {
    return (await store.locks.find({ buildId: holder, step: 0 })).kind === 'granted';
  });
  await distributor.close();
  expect(await store.locks.find({ buildId: mover, step: 1 })).toEqual({ kind: 'waits' });
});
