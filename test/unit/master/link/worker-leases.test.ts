import { afterEach, beforeEach, expect, test } from 'vitest';
import type { WhenWorkerLost } from '../../../../src/model/lost-worker.ts';
import { RULE_LIMIT_MS } from '../../../../src/master/link/held-leases.ts';
import { HEARTBEAT_MS, SHORTEST_HEARTBEAT_MS, leaseOf } from '../../../../src/model/lost-worker.ts';
import { until } from '../../../support/until.ts';
import { DeskBench } from './desk-bench.ts';
import { WorkerPeer, held } from './worker-peer.ts';
import type { PeerOptions } from './worker-peer.ts';

let bench: DeskBench;
const RULE: WhenWorkerLost = { retryAfterMs: 40_000 };

beforeEach(async () => {
  bench = await DeskBench.make();
  bench.rule = RULE;
});
afterEach(() => bench.remove());

const LEASES = { capabilities: ['files', 'lease'] };
const connect = (options: Partial<PeerOptions> = {}, inventory = {}): Promise<WorkerPeer> =>
  WorkerPeer.connect(bench.desk, { clock: bench.clock, ...LEASES, ...options }, inventory);

async function storedLease(): Promise<number | undefined> {
  return (await bench.store.workers.find('w'))?.leaseMs;
}

async function lose(worker: WorkerPeer): Promise<void> {
  worker.faults.cut();
  await until('the loss is seen', () => !bench.desk.connected().has('w'));
}

test('a command has the lease of its build when it is started, and when it goes on', async () => {
  const first = await connect();
  const leaseMs = leaseOf(RULE);
  const order = { ...(await bench.order()), leaseMs: leaseMs! };
  void bench.run(order);
  const start = await first.started(order.command);
  expect(start.fields.leaseMs).toBe(leaseMs);
  await lose(first);
  const second = await connect({}, { commands: [held(start)] });
  const answer = await second.got('inventory.answer');
  expect(answer.fields.commands).toMatchObject([{ verdict: 'continue', leaseMs }]);
  bench.rule = 'wait';
  await lose(second);
  const third = await connect({}, { commands: [held(start)] });
  expect((await third.got('inventory.answer')).fields.commands[0]).not.toHaveProperty('leaseMs');
});

test('a worker that keeps no leases may hold its commands for ever, until it comes as one that does', async () => {
  const old = await connect({ capabilities: ['files'] });
  expect(bench.desk.heldMs('w')).toBe(Number.MAX_SAFE_INTEGER);
  expect(await storedLease()).toBe(Number.MAX_SAFE_INTEGER);
  expect(await bench.desk.raiseLeases(1_000)).toEqual(new Set(['w']));
  await lose(old);
  await bench.restart();
  const upgraded = await connect();
  const { n } = (await upgraded.got('lease')).fields;
  // It has its verdicts, but has not said that they are on its disk.
  expect(bench.desk.heldMs('w')).toBe(Number.MAX_SAFE_INTEGER);
  upgraded.link.send('lease.held', '', { n });
  await until('it is trusted', async () => (await storedLease()) === undefined);
  expect(bench.desk.heldMs('w')).toBe(0);
});

test('a longer lease is noted before it is told, outlives the master, and ends with the next inventory', async () => {
  const first = await connect();
  const raised = bench.desk.raiseLeases(7_260_000);
  const told = await first.got('lease', ({ leaseMs }) => leaseMs === 7_260_000);
  expect(await storedLease()).toBe(7_260_000);
  first.link.send('lease.held', '', { n: told.fields.n });
  expect(await raised).toEqual(new Set(['w']));
  expect(bench.desk.heldMs('w')).toBe(7_260_000);
  await bench.restart();
  await bench.desk.prepared;
  expect(bench.desk.heldMs('w')).toBe(7_260_000);
  const second = await connect();
  const { n } = (await second.got('lease')).fields;
  // An answer to something else says nothing.
  second.link.send('lease.held', '', { n: n + 7 });
  second.link.send('lease.held', '', { n });
  await until('it holds its builds only as long as they say', async () => (await storedLease()) === undefined);
});

test('a worker that does not say that it holds its builds is not counted on, and its lease counts as given', async () => {
  const worker = await connect();
  const raised = bench.desk.raiseLeases(60_000);
  await worker.got('lease');
  bench.clock.advance(5_000);
  expect(await raised).toEqual(new Set());
  expect(bench.desk.heldMs('w')).toBe(60_000);
});

test('a worker that comes anew before all have answered has dropped what it said, and is not counted on', async () => {
  const first = await connect();
  const slow = await connect({ name: 'v' });
  const raised = bench.desk.raiseLeases(60_000);
  const { n } = (await first.got('lease', ({ leaseMs }) => leaseMs === 60_000)).fields;
  bench.clock.advance(1);
  first.link.send('lease.held', '', { n });
  await until('that is heard', () => bench.desk.heardAtMs('w') === bench.clock.monotonic());
  await slow.got('lease');
  await lose(first);
  await connect();
  await until('it is here again', () => bench.desk.connected().has('w'));
  bench.clock.advance(5_000);
  expect(await raised).toEqual(new Set());
});

test('a build whose configuration cannot be read is not given up while its worker is away', async () => {
  const first = await connect();
  const order = await bench.order();
  void bench.run(order);
  const start = await first.started(order.command);
  await lose(first);
  bench.rule = undefined;
  const second = await connect({}, { commands: [held(start)] });
  expect((await second.got('inventory.answer')).fields.commands[0]).not.toHaveProperty('leaseMs');
  await until('it is here', () => bench.desk.connected().has('w'));
  expect(await storedLease()).toBe(Number.MAX_SAFE_INTEGER);
  expect(second.all('lease')).toEqual([]);
});

test('a configuration that is not loaded keeps no worker waiting; its build is held for ever, and the line kept quick', async () => {
  const first = await connect();
  const order = await bench.order();
  void bench.run(order);
  const start = await first.started(order.command);
  await lose(first);
  bench.rule = new Promise(() => undefined);
  const reads = bench.ruleReads;
  const connecting = connect({}, { commands: [held(start)] });
  // Once for the welcome, once for the verdict.
  for (const nth of [1, 2]) {
    await until('its rule is wanted', () => bench.ruleReads === reads + nth);
    bench.clock.advance(RULE_LIMIT_MS);
  }
  const second = await connecting;
  expect(second.welcome).toMatchObject({ heartbeatMs: SHORTEST_HEARTBEAT_MS });
  expect((await second.got('inventory.answer')).fields.commands[0]).not.toHaveProperty('leaseMs');
  expect(await storedLease()).toBe(Number.MAX_SAFE_INTEGER);
});

test('a connection pings as often as the leases of its running builds need', async () => {
  bench.rule = { retryAfterMs: 20_000 };
  expect((await connect()).welcome).toMatchObject({ heartbeatMs: 5_000, deadMs: 15_000 });
  bench.rule = 'wait';
  const slow = await connect();
  expect(slow.welcome).toMatchObject({ heartbeatMs: HEARTBEAT_MS, deadMs: 3 * HEARTBEAT_MS });
  await until('it is here', () => bench.desk.connected().has('w'));
  bench.desk.hasten(HEARTBEAT_MS);
  expect(bench.desk.connected().has('w')).toBe(true);
  bench.desk.hasten(1_000);
  expect(await slow.link.closed).toMatchObject({ cause: 'goodbye', code: 'drain' });
});

test('the last word of a worker is remembered when its connection is gone; before the first it is the start', async () => {
  const openedAtMs = bench.clock.monotonic();
  bench.clock.advance(1_000);
  expect(bench.desk.heardAtMs('w')).toBe(openedAtMs);
  const worker = await connect();
  await until('it is here', () => bench.desk.connected().has('w'));
  const heardAtMs = bench.desk.heardAtMs('w');
  expect(heardAtMs).toBe(bench.clock.monotonic());
  await lose(worker);
  bench.clock.advance(5_000);
  expect(bench.desk.heardAtMs('w')).toBe(heardAtMs);
});
