import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../../src/base/logger.ts';
import { LIMITS } from '../../../../src/protocol/limits.ts';
import { memoryCarriers } from '../../../../src/transport/memory-carrier.ts';
import { openWorkerLink } from '../../../../src/transport/worker-link.ts';
import { until } from '../../../support/until.ts';
import { DeskBench } from './desk-bench.ts';
import { WorkerPeer } from './worker-peer.ts';
import type { PeerOptions } from './worker-peer.ts';
import { HELLO } from '../../../support/hello.ts';

let bench: DeskBench;

beforeEach(async () => {
  bench = await DeskBench.make();
});

afterEach(() => bench.remove());

const connect = (options: Partial<PeerOptions> = {}): Promise<WorkerPeer> =>
  WorkerPeer.connect(bench.desk, { clock: bench.clock, ...options });

/** Turns the clock until the promise settles: nobody knows when the timer it waits for is set. */
async function turning<T>(promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const watched = promise.finally(() => (isSettled = true));
  watched.catch(() => undefined);
  await until('it settles', () => {
    if (!isSettled) bench.clock.advance(LIMITS.probeMs / 5);
    return isSettled;
  });
  return watched;
}

describe('one owner', () => {
  it('lets the newest connection of the same daemon win at once, with a higher epoch', async () => {
    const first = await connect();
    const epoch = (await bench.store.workers.find('w'))?.epoch ?? 0;
    const second = await connect();
    expect(await first.link.closed).toMatchObject({ cause: 'goodbye', code: 'replaced' });
    const record = await bench.store.workers.find('w');
    expect(record).toMatchObject({ epoch: epoch + 1, isConnected: true });
    expect(bench.desk.connected().has('w')).toBe(true);
    const order = await bench.order();
    const outcome = bench.run(order);
    second.finish(await second.started(order.command), 0);
    expect(await outcome).toMatchObject({ status: 'exited' });
  });

  it('refuses another machine while the first one answers, and names both', async () => {
    const first = await connect({ host: 'barn' });
    const refused = connect({ installId: 'install-2', host: 'attic' });
    await expect(refused).rejects.toMatchObject({ code: 'duplicate-worker' });
    await expect(refused).rejects.toThrow(/barn.*attic/);
    expect(bench.desk.connected().has('w')).toBe(true);
    expect(first.all('goodbye')).toEqual([]);
  });

  it('refuses a copy of the folder on the same machine while the original answers, and names both', async () => {
    const first = await connect({ folder: '/barn/w' });
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await first.started(order.command);
    const refused = connect({ processId: 'copy', folder: '/attic/w' });
    await expect(refused).rejects.toMatchObject({ code: 'duplicate-worker' });
    await expect(refused).rejects.toThrow(/folder \/barn\/w .*folder \/attic\/w .*was its folder copied/);
    expect(first.all('goodbye')).toEqual([]);
    first.finish(start, 0, { exitCode: 7 });
    expect(await outcome).toMatchObject({ exitCode: 7 });
  });

  it('lets a daemon that was started anew in when the line of the one before is silent', async () => {
    const first = await connect();
    first.faults.stall('worker');
    await turning(connect({ processId: 'anew' }));
    expect(await first.link.closed).toMatchObject({ code: 'replaced' });
  });

  it('lets another machine in when the first one is silent, and heeds nothing of the first any more', async () => {
    const first = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await first.got('command.start');
    first.faults.stall('worker');
    const second = await turning(connect({ bootId: 'boot-2' }));
    const again = await second.started(order.command);
    first.finish(start, 0, { exitCode: 99 });
    first.faults.flow('worker');
    second.finish(again, 0, { exitCode: 7 });
    expect(await outcome).toMatchObject({ exitCode: 7 });
  });

  it('takes daemons for clones that displace each other more than three times in a minute', async () => {
    for (let n = 0; n < 4; n++) await connect();
    await expect(connect()).rejects.toMatchObject({ code: 'duplicate-worker' });
    bench.clock.advance(1);
    await until('the owner stays', () => bench.desk.connected().has('w'));
  });

  it('judges newcomers one after another, so that one of many is the worker', async () => {
    const all = await Promise.allSettled(
      Array.from({ length: 6 }, (_, n) => connect({ installId: `install-${n}`, host: `host-${n}` })),
    );
    const welcome = all.filter(({ status }) => status === 'fulfilled');
    expect(welcome).toHaveLength(1);
  });

  it('refuses a hello that names another worker than the login', async () => {
    const { worker, master } = memoryCarriers();
    bench.desk.accept('somebody-else', master);
    const hello = { ...HELLO, worker: 'w' };
    await expect(openWorkerLink(worker, { hello, clock: bench.clock, logger: silentLogger })).rejects.toMatchObject({
      code: 'wrong-name',
    });
    expect(bench.desk.connected().size).toBe(0);
  });
});
