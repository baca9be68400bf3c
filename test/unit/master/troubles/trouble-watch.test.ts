import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../../src/base/logger.ts';
import { LocalBus } from '../../../../src/bus/local-bus.ts';
import { TroubleWatch } from '../../../../src/master/troubles/trouble-watch.ts';
import type { Trouble } from '../../../../src/model/trouble.ts';
import { TROUBLE_RULES } from '../../../../src/model/trouble.ts';
import { until } from '../../../support/until.ts';
import { DeskBench } from '../link/desk-bench.ts';
import { WorkerPeer } from '../link/worker-peer.ts';

const MIN = 60_000;

let bench: DeskBench;
let watch: TroubleWatch;
let workers = [{ name: 'w', maxBuilds: 1, owner: 'mailto:farm@example.org' }];

beforeEach(async () => {
  bench = await DeskBench.make();
  workers = [{ name: 'w', maxBuilds: 1, owner: 'mailto:farm@example.org' }];
  open();
});
afterEach(async () => {
  await watch.close();
  await bench.remove();
});

function open(): void {
  const { store, clock, desk } = bench;
  const config = () => ({ title: 'T', reporters: [], workers, troubles: TROUBLE_RULES });
  const bus = new LocalBus(silentLogger);
  watch = new TroubleWatch({ store, bus, clock, logger: silentLogger, desk, config, onTold: () => undefined });
}

/** One round of a watch that is then closed, as before a restart. */
async function look(): Promise<readonly Trouble[]> {
  watch.look();
  bench.clock.advance(200);
  await watch.close();
  open();
  return await bench.store.troubles.ofWorker('w', 100);
}

const connect = (more: object = {}): Promise<WorkerPeer> =>
  WorkerPeer.connect(bench.desk, { clock: bench.clock, ...more });

async function leave(peer: WorkerPeer): Promise<void> {
  peer.link.destroy('the test wants it');
  await until('it is gone', async () => !(await bench.store.workers.find('w'))?.isConnected);
}

test('a worker that stays away is missing once, over restarts of the master, until it is back', async () => {
  await leave(await connect());
  bench.clock.advance(59 * MIN);
  expect(await look()).toEqual([]);
  const first = watch;
  first.open();
  bench.clock.advance(3 * MIN);
  await until('it is noticed', async () => (await bench.store.troubles.open()).length > 0);
  await first.close();
  await bench.restart();
  open();
  bench.clock.advance(3 * MIN);
  const [missing, ...others] = await look();
  expect(others).toEqual([]);
  expect(missing).toMatchObject({
    worker: 'w',
    kind: 'missing',
    text: 'away for more than 1h',
    owner: workers[0]?.owner,
  });
  const atMs = bench.clock.now() - missing!.sinceMs;
  expect(atMs).toBeGreaterThanOrEqual(65 * MIN);
  expect(atMs).toBeLessThan(66 * MIN);
  expect(missing).not.toHaveProperty('untilMs');
  await connect();
  expect(await look()).toEqual([{ ...missing, untilMs: bench.clock.now(), endText: 'it is back' }]);
});

test('whoever is held is not waited for, and what leaves the configuration has no troubles', async () => {
  await leave(await connect());
  bench.clock.advance(70 * MIN);
  watch.open();
  bench.clock.advance(3 * MIN);
  await until('it is missing', async () => (await bench.store.troubles.open()).length === 1);
  await bench.store.workers.setHold('w', { kind: 'paused', by: 'ann', sinceMs: bench.clock.now(), reason: 'moved' }, [
    undefined,
  ]);
  const [held] = await look();
  expect(held?.endText).toMatch(/^it is not waited for: it is paused by ann since .*: moved$/);
  await bench.store.workers.setHold('w', undefined, ['paused']);
  watch.open();
  bench.clock.advance(3 * MIN);
  await until('it is missing', async () => (await bench.store.troubles.open()).length === 1);
  workers = [];
  const [gone] = await look();
  expect(gone?.endText).toBe('it is not in the configuration any more');
});

test('one that comes again and again is flapping until it is calm; one that leaves in order is not', async () => {
  for (let n = 0; n < 7; n++) await leave(await connect());
  expect(await look()).toEqual([]);
  const eighth = await connect();
  const [flapping] = await look();
  expect(flapping).toMatchObject({ kind: 'flapping', text: 'more than 6 connections within 10m' });
  bench.clock.advance(9 * MIN);
  expect(await look()).toEqual([flapping]);
  bench.clock.advance(MIN);
  expect(await look()).toEqual([{ ...flapping, untilMs: bench.clock.now(), endText: 'no new connection for 10m' }]);
  await leave(eighth);
});

test('one whose output is held back for long is full until there was room for as long', async () => {
  let heldByDisk = 2;
  const peer = await connect({ vitals: () => ({ heldByDisk, keepFreeBytes: 1_000_000 }) });
  const told = async (): Promise<void> => {
    peer.link.pingNow();
    await until('it is told', () => bench.desk.vitals('w')?.heldByDisk === heldByDisk);
  };
  /** A watch that sees it all the time. */
  const pass = async (ends: boolean): Promise<void> => {
    const whole = watch;
    whole.look();
    bench.clock.advance(200);
    await until('a round is over', () => bench.clock.pending > 0);
    await until('it is so', async () => {
      bench.clock.advance(30_000);
      const all = await bench.store.troubles.ofWorker('w', 9);
      return all.length === 1 && (all[0]?.untilMs !== undefined) === ends;
    });
  };
  await told();
  await pass(false);
  const [full] = await bench.store.troubles.open();
  expect(full?.text).toBe(
    "output of 2 commands held back: less than 1 MB free on the worker's disk; make room there, and it goes on; so for more than 5m",
  );
  heldByDisk = 0;
  await told();
  await pass(true);
  expect((await look())[0]?.endText).toBe('there is room again');
});
