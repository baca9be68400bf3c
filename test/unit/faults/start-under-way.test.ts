import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import type { KeeperSpec } from '../../../src/worker/keeper/keeper.ts';
import { memoryCarriers } from '../../../src/transport/memory-carrier.ts';
import type { MemoryFaults } from '../../../src/transport/memory-carrier.ts';
import { ErrorLog } from '../../support/error-log.ts';
import { until } from '../../support/until.ts';
import { WorkerSide } from '../../support/worker-side.ts';
import { DeskBench } from '../master/link/desk-bench.ts';
import { SimKeeper } from './sim-keeper.ts';

/** A machine that takes its time over the start of a process. */
class SlowKeeper extends SimKeeper {
  readonly asked = deferred();
  readonly goOn = deferred();

  override async start(spec: KeeperSpec): Promise<void> {
    this.asked.resolve();
    await this.goOn.promise;
    await super.start(spec);
  }
}

let bench: DeskBench;
beforeEach(async () => {
  bench = await DeskBench.make();
});
afterEach(async () => {
  await bench.remove();
  await rm(bench.dir, { recursive: true, force: true });
});

test('a command whose start was under way when the line went is not taken for one that never was', async () => {
  const { logger, errors } = new ErrorLog();
  const keeper = new SlowKeeper(
    () => 0,
    () => Buffer.from('begun\n'),
  );
  const worker = await WorkerSide.open({ dir: bench.dir, keeper, clock: bench.clock, logger });
  const lines: MemoryFaults[] = [];
  worker.stay(async () => {
    const { worker: carrier, master, faults } = memoryCarriers();
    lines.push(faults);
    bench.desk.accept('w', master);
    return await Promise.resolve(carrier);
  });
  const order = await bench.order();
  const run = bench.run(order);
  await keeper.asked.promise;
  lines[0]?.cut();
  bench.desk.interrupt(order.command, 'enough');
  await until('the worker is back', () => lines[1] !== undefined && lines[1].arrivedBytes('master') > 0);
  keeper.goOn.resolve();
  await until('it runs or has ended', () => keeper.held().includes(order.command));
  keeper.print(order.command, 6);
  expect(await run).toMatchObject({ status: 'signalled', ended: 'interrupt' });
  expect(keeper.starts.get(order.command)).toBe(1);
  expect(errors).toEqual([]);
  await worker.leave();
});
