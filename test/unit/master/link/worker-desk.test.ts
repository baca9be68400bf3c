import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deferred } from '../../../../src/base/deferred.ts';
import type { Outcome } from '../../../../src/protocol/messages.ts';
import { memoryCarriers } from '../../../../src/transport/memory-carrier.ts';
import { until } from '../../../support/until.ts';
import { DeskBench } from './desk-bench.ts';
import { WorkerPeer, held } from './worker-peer.ts';

let bench: DeskBench;

beforeEach(async () => {
  bench = await DeskBench.make();
});

afterEach(() => bench.remove());

const bytes = (text: string): Uint8Array => Buffer.from(text);
const connect = (
  options: Partial<Parameters<typeof WorkerPeer.connect>[1]> = {},
  inventory = {},
): Promise<WorkerPeer> => WorkerPeer.connect(bench.desk, { clock: bench.clock, ...options }, inventory);

describe.each([false, true])('a worker over its own channels, or over one (%s)', (useMux) => {
  it('is told to start, and the outcome waits until all output is stored', async () => {
    const worker = await connect({ useMux });
    const order = await bench.order({ kind: 'run', shell: 'make' });
    let isDone = false;
    const outcome = bench.run(order).finally(() => (isDone = true));
    const start = await worker.started(order.command);
    expect(start.session).toBe(bench.seat.session);
    expect(start.fields.spec).toEqual({ kind: 'run', shell: 'make' });
    await worker.print(start, 0, bytes('one\n'));
    await worker.got('log.ack', ({ offset }) => offset === 4);
    const big = Buffer.alloc(200_000, 'x');
    worker.finish(start, 4 + big.length, { exitCode: 3 });
    await until('the finish has arrived', async () => (await bench.store.commands.find(order.command))?.seenBy);
    expect(isDone).toBe(false);
    await worker.print(start, 4, big);
    expect(await outcome).toMatchObject({ status: 'exited', exitCode: 3 });
    expect(await bench.storedLength(order.log)).toBe(200_004);
    expect(await bench.text(order.log)).toBe(`one\n${big.toString()}`);
    bench.desk.forget(order.command);
    await worker.got('command.forget', ({ command }) => command === order.command);
  });
});

describe('a connection that is lost', () => {
  it('is gone on with where the stored log ends, without a second start', async () => {
    const first = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await first.started(order.command);
    await first.print(start, 0, bytes('stored, '));
    await first.got('log.ack', ({ offset }) => offset === 8);
    first.faults.cut();
    await until('the loss is seen', () => !bench.desk.connected().has('w'));
    const second = await connect({}, { commands: [held(start, { outputEnd: 20 })] });
    const answer = await second.got('inventory.answer');
    expect(answer.fields.commands).toEqual([
      { command: order.command, verdict: 'continue', fence: start.fields.fence, from: 8 },
    ]);
    await second.got('session.open');
    await second.print(start, 8, bytes('and the rest'));
    second.finish(start, 20);
    expect(await outcome).toMatchObject({ exitCode: 0 });
    expect(await bench.text(order.log)).toBe('stored, and the rest');
    expect(second.all('command.start')).toEqual([]);
  });

  it('has a command started that the worker never acknowledged and does not hold', async () => {
    const order = await bench.order();
    const outcome = bench.run(order);
    const first = await connect();
    await first.got('command.start');
    first.faults.cut();
    await until('the loss is seen', () => !bench.desk.connected().has('w'));
    const second = await connect();
    const start = await second.started(order.command);
    second.finish(start, 0);
    expect(await outcome).toMatchObject({ status: 'exited' });
  });

  it('has a command never started again that the worker acknowledged and holds no more', async () => {
    const order = await bench.order();
    const outcome = bench.run(order);
    const first = await connect();
    await first.started(order.command);
    await until('it is stored', async () => (await bench.store.commands.find(order.command))?.seenBy === 'install-1');
    first.faults.cut();
    await until('the loss is seen', () => !bench.desk.connected().has('w'));
    const second = await connect();
    expect(await outcome).toMatchObject({ status: 'unknown' });
    expect((await outcome).message).toContain('no longer knows the command');
    expect(second.all('command.start')).toEqual([]);
  });

  it('has no command started on a new installation that an old one may have started', async () => {
    const first = await connect();
    const order = await bench.order();
    void bench.run(order);
    await first.got('command.start');
    first.faults.cut();
    await until('the loss is seen', () => !bench.desk.connected().has('w'));
    await bench.restart();
    const again = bench.run(order);
    const second = await connect({ installId: 'install-2' });
    expect((await again).message).toContain('install-1');
    expect(second.all('command.start')).toEqual([]);
  });

  it('has the lost end of a finished command marked as a hole when the worker lost its spool', async () => {
    const first = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await first.started(order.command);
    await first.print(start, 0, bytes('begin\n'));
    first.finish(start, 100);
    await first.got('log.ack', ({ offset }) => offset === 6);
    await until('it is stored', async () => (await bench.store.commands.find(order.command))?.seenBy);
    first.faults.cut();
    await until('the loss is seen', () => !bench.desk.connected().has('w'));
    await connect();
    expect(await outcome).toMatchObject({ status: 'exited' });
    expect(await bench.storedLength(order.log)).toBe(100);
    expect(await bench.text(order.log)).toMatch(/^begin\n.*94 bytes/s);
  });
});

describe('a master that begins anew', () => {
  it('goes on with a command before its build gives the order again, under a higher fence', async () => {
    const first = await connect();
    const order = await bench.order();
    void bench.run(order);
    const start = await first.started(order.command);
    await first.print(start, 0, bytes('one '));
    await first.got('log.ack', ({ offset }) => offset === 4);
    await bench.restart();
    const second = await connect({}, { commands: [held(start, { outputEnd: 8 })] });
    const answer = await second.got('inventory.answer');
    const fence = answer.fields.commands[0]?.fence ?? 0;
    expect(fence).toBeGreaterThan(start.fields.fence);
    const open = await second.got('session.open');
    expect(open.fields.fence).toBe(fence);
    const now = { ...start, fields: { ...start.fields, fence } };
    await second.print(now, 4, bytes('two '));
    second.finish(now, 8);
    await second.got('log.ack', ({ offset }) => offset === 8);
    const outcome = await bench.run(order);
    expect(outcome).toMatchObject({ status: 'exited' });
    expect(await bench.text(order.log)).toBe('one two ');
    expect(second.all('command.start')).toEqual([]);
  });

  it('has everything forgotten that no running build waits for', async () => {
    const first = await connect();
    const done = await bench.order();
    const strange = { command: 'strange', session: bench.seat.session, fence: 1, outputStart: 0, outputEnd: 0 };
    void bench.run(done);
    const start = await first.started(done.command);
    await bench.store.commands.finish(done.command, 'answered');
    await bench.restart();
    const second = await connect(
      {},
      {
        sessions: [
          { session: bench.seat.session, fence: 1, directory: 'd' },
          { session: 'other', fence: 1, directory: 'e' },
        ],
        commands: [held(start), { ...strange, state: 'running' }],
      },
    );
    const { fields } = await second.got('inventory.answer');
    expect(fields.commands.map(({ verdict }) => verdict)).toEqual(['forget', 'forget']);
    expect(fields.sessions.map(({ verdict }) => verdict)).toEqual(['keep', 'forget']);
    await bench.store.builds.finish(bench.build.id, 'cancelled', undefined, 9_000);
    const open = await bench.order();
    second.faults.cut();
    await until('the loss is seen', () => !bench.desk.connected().has('w'));
    const third = await connect({}, { commands: [{ ...held(start), command: open.command }] });
    expect((await third.got('inventory.answer')).fields.commands[0]?.verdict).toBe('forget');
  });
});

describe('log chunks', () => {
  it('are dropped when known, asked for once when there is a gap, and holes are kept as holes', async () => {
    const worker = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await worker.started(order.command);
    await worker.print(start, 0, bytes('0123456789'));
    await worker.print(start, 0, bytes('0123'));
    await worker.print(start, 15, bytes('gap'));
    await worker.print(start, 18, bytes('more'));
    expect((await worker.got('log.want')).fields.offset).toBe(10);
    worker.link.send('log.hole', start.session, {
      command: order.command,
      fence: start.fields.fence,
      offset: 10,
      length: 5,
    });
    await worker.print(start, 15, bytes('end\n'));
    worker.finish(start, 19);
    await outcome;
    expect(await bench.text(order.log)).toMatch(/^0123456789.*5 bytes.*end\n$/s);
    expect(worker.all('log.want')).toHaveLength(1);
  });

  it('of commands that nobody waits for give their credit back, and stop nothing', async () => {
    const worker = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await worker.started(order.command);
    const nobody = { session: start.session, fields: { command: 'nobody', fence: start.fields.fence } };
    // More than the session's whole credit.
    for (let n = 0; n < 16; n++) await worker.print(nobody, n * 200_000, Buffer.alloc(200_000));
    worker.finish(start, 0);
    expect(await outcome).toMatchObject({ status: 'exited' });
  });
});

it('raises a fence above what the worker has seen, as after the database was put back', async () => {
  const { session, directory } = bench.seat;
  const worker = await connect({}, { sessions: [{ session, fence: 40, directory }] });
  const order = await bench.order();
  const outcome = bench.run(order);
  const start = await worker.started(order.command);
  expect(start.fields.fence).toBeGreaterThan(40);
  worker.finish(start, 0);
  expect(await outcome).toMatchObject({ status: 'exited' });
});

it('answers `forget` for a command that was forgotten while its worker was away, though its build runs on', async () => {
  const first = await connect();
  const order = await bench.order();
  void bench.run(order);
  const start = await first.started(order.command);
  first.faults.cut();
  await until('the loss is seen', () => !bench.desk.connected().has('w'));
  bench.desk.forget(order.command);
  const second = await connect({}, { commands: [held(start)] });
  const { fields } = await second.got('inventory.answer');
  expect(fields.commands).toEqual([{ command: order.command, verdict: 'forget' }]);
});

it('ends the log of a command with a mark when a power loss took its end from the worker', async () => {
  const first = await connect();
  const order = await bench.order();
  const outcome = bench.run(order);
  const start = await first.started(order.command);
  await first.print(start, 0, bytes('all of this is stored'));
  await first.got('log.ack', ({ offset }) => offset === 21);
  first.faults.cut();
  await until('the loss is seen', () => !bench.desk.connected().has('w'));
  const lost = { status: 'unknown', message: 'rebooted', startedAtMs: 1, endedAtMs: 2 };
  await connect(
    { bootId: 'boot-2' },
    { commands: [held(start, { state: 'finished', outputEnd: 7, outcome: lost as Outcome })] },
  );
  expect(await outcome).toMatchObject({ status: 'unknown' });
  expect(await bench.text(order.log)).toMatch(/^all of this is stored\n\[trunkline: .*\]\n$/);
});

describe('interrupts', () => {
  it('reach a running command, and again after the connection was lost', async () => {
    const first = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await first.started(order.command);
    await until('it is stored', async () => (await bench.store.commands.find(order.command))?.seenBy);
    bench.desk.interrupt(order.command, 'enough');
    expect((await first.got('command.interrupt')).fields.reason).toBe('enough');
    first.faults.cut();
    await until('the loss is seen', () => !bench.desk.connected().has('w'));
    const second = await connect({}, { commands: [held(start)] });
    await second.got('command.interrupt', ({ command }) => command === order.command);
    second.finish(start, 0, { ended: 'interrupt' });
    expect(await outcome).toMatchObject({ ended: 'interrupt' });
  });

  it('keep a command from being started at all', async () => {
    const order = await bench.order();
    const outcome = bench.run(order);
    bench.desk.interrupt(order.command, 'never mind');
    const worker = await connect();
    expect(await outcome).toMatchObject({ status: 'refused', ended: 'interrupt' });
    expect(worker.all('command.start')).toEqual([]);
  });
});

it('tells why a session could not be opened, and tries it again with the next command', async () => {
  const worker = await connect();
  const order = await bench.order();
  const outcome = bench.run(order);
  const open = await worker.got('session.open');
  await worker.got('command.start');
  worker.link.send('session.failed', open.session, { fence: open.fields.fence, code: 'disk', message: 'no space' });
  expect((await outcome).message).toContain('no space');
  const next = await bench.order();
  const second = bench.run(next);
  const start = await worker.started(next.command);
  worker.finish(start, 0);
  expect(await second).toMatchObject({ status: 'exited' });
});

it('rejects a run when the master stops, says goodbye, and lets nobody in any more', async () => {
  const worker = await connect();
  const order = await bench.order();
  const outcome = bench.run(order);
  await worker.started(order.command);
  bench.stopping.abort(new Error('stopping'));
  await expect(outcome).rejects.toThrow('stopping');
  await bench.desk.close('the master stops');
  expect(await worker.link.closed).toMatchObject({ cause: 'goodbye', code: 'stopping' });
  await expect(connect()).rejects.toMatchObject({ code: 'stopping' });
  expect((await bench.store.workers.find('w'))?.isConnected).toBe(false);
});

it('does not wait for a connection that never says hello when the master stops', async () => {
  const { master, worker } = memoryCarriers();
  bench.desk.accept('w', master);
  await bench.desk.close('the master stops');
  await worker.closed;
});

describe('a connection that is displaced while its inventory is reviewed', () => {
  it('does not draw the answers of the log to itself', async () => {
    const first = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await first.started(order.command);
    await until('it is stored', async () => (await bench.store.commands.find(order.command))?.seenBy);

    const { logs } = bench.store;
    const find = logs.findByCommand.bind(logs);
    const late = deferred();
    let asked = 0;
    logs.findByCommand = async (command) => {
      if (++asked === 1) await late.promise;
      return find(command);
    };
    const inventory = { sessions: [], commands: [held(start)], last: true };
    const slow = await WorkerPeer.greet(bench.desk, { clock: bench.clock });
    slow.link.send('inventory', '', inventory);
    await until('its review has begun', () => asked === 1);
    const second = await connect({}, inventory);
    await second.got('session.open');
    late.resolve();
    await slow.link.closed;
    await second.print(start, 0, bytes('output'));
    await second.got('log.ack', ({ offset }) => offset === 6);
    second.finish(start, 6);
    expect(await outcome).toMatchObject({ status: 'exited' });
  });
});

describe('a worker that names what is of another one in its inventory', () => {
  it('changes nothing there', async () => {
    const owner = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await owner.started(order.command);
    const { session, fence } = bench.seat;
    const thief = await connect(
      { name: 'thief' },
      { commands: [held(start)], sessions: [{ session, fence: fence + 100, directory: 'd' }] },
    );
    expect((await thief.got('inventory.answer')).fields).toMatchObject({
      commands: [{ verdict: 'forget' }],
      sessions: [{ verdict: 'forget' }],
    });
    owner.finish(start, 0);
    expect(await outcome).toMatchObject({ status: 'exited' });
    expect((await bench.store.workers.seats('w'))[0]?.fence).toBe(fence);
  });
});

it('a newcomer that is gone before it is judged displaces nobody', async () => {
  const owner = await connect();
  // The owner does not answer the probe yet, so that the next ones wait for their turn.
  owner.faults.stall('worker');
  const stranger = WorkerPeer.greet(bench.desk, { clock: bench.clock, installId: 'install-2', bootId: 'boot-2' });
  const refused = expect(stranger).rejects.toMatchObject({ code: 'duplicate-worker' });
  const { worker, master, faults } = memoryCarriers();
  const late = WorkerPeer.greet(bench.desk, { clock: bench.clock }, { worker, master, faults });
  const lost = expect(late).rejects.toMatchObject({ code: 'lost' });
  // Its hello arrives, and waits.
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  faults.cut();
  await lost;
  owner.faults.flow('worker');
  await refused;
  const after = await connect({ installId: 'install-3', bootId: 'boot-3' }).catch((error: unknown) => error);
  expect(after).toMatchObject({ code: 'duplicate-worker' });
  expect(bench.desk.connected().has('w')).toBe(true);
});
