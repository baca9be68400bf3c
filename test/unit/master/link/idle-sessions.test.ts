import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../../support/until.ts';
import { DeskBench } from './desk-bench.ts';
import { WorkerPeer } from './worker-peer.ts';

let bench: DeskBench;
beforeEach(async () => {
  bench = await DeskBench.make();
});
afterEach(() => bench.remove());

const held = () => {
  const { session, fence, directory } = bench.seat;
  return { sessions: [{ session, fence, directory }] };
};

test('a worker that was away hears with its greeting that a build is over, and not before it is', async () => {
  const { session, fence } = bench.seat;
  const first = await WorkerPeer.connect(bench.desk, bench, held());
  expect(first.all('inventory.answer')[0]?.fields.sessions).toEqual([{ session, verdict: 'keep' }]);
  first.link.destroy('away');
  await until('it is seen to be away', () => !bench.desk.connected().has('w'));
  await bench.store.builds.finish(bench.build.id, 'success', undefined, 1);
  const second = await WorkerPeer.connect(bench.desk, bench, held());
  expect(second.all('inventory.answer')[0]?.fields.sessions).toEqual([{ session, verdict: 'keep', idle: fence }]);
});

test('a worker that is here is told on the channel of the session, with the fence of the build that is over', async () => {
  const { session, worker, fence } = bench.seat;
  const peer = await WorkerPeer.connect(bench.desk, bench);
  bench.desk.openSeat(bench.seat);
  await peer.got('session.open');
  // Another build sits there already.
  bench.desk.openSeat({ ...bench.seat, fence: fence + 1 });
  bench.desk.idleSeat(worker, session, fence);
  expect((await peer.got('session.idle')).fields).toEqual({ fence });
});
