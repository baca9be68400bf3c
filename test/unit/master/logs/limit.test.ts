import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTail } from '../../../../src/master/builds/step-log.ts';
import { LIMITS } from '../../../../src/protocol/limits.ts';
import type { Message } from '../../../../src/protocol/messages.ts';
import { until } from '../../../support/until.ts';
import { DeskBench } from '../link/desk-bench.ts';
import { WorkerPeer, held } from '../link/worker-peer.ts';

const LIMIT = 100_000;
const MOST = LIMIT + LIMITS.logSlackBytes;

let bench: DeskBench;

beforeEach(async () => {
  bench = await DeskBench.make();
});

afterEach(() => bench.remove());

/** Prints for as long as the connection lives; how far it came. */
async function flood(worker: WorkerPeer, start: Message<'command.start'>, from = 0): Promise<number> {
  let isOver = false;
  void worker.link.closed.then(() => (isOver = true));
  const piece = Buffer.alloc(16_000, 'x');
  let offset = from;
  await until('the connection is ended', () => {
    for (let n = 0; n < 64 && worker.link.room(start.session, 'log') >= piece.length; n++) {
      const head = { command: start.fields.command, fence: start.fields.fence, atMs: 1, lines: 0 };
      const chunk = {
        offset,
        length: piece.length,
        codec: 'raw',
        size: piece.length,
        position: 0,
        bytes: piece,
      } as const;
      worker.link.send('log.append', start.session, { ...head, ...chunk });
      offset += piece.length;
    }
    return isOver;
  });
  return offset;
}

describe('a worker that does not keep to the limit of a log', () => {
  it('is told the limit, may not fill the disk, and its command ends as unknown', async () => {
    const worker = await WorkerPeer.connect(bench.desk, { clock: bench.clock });
    const order = await bench.order();
    const outcome = bench.run({ ...order, logMaxBytes: LIMIT });
    const start = await worker.started(order.command);
    expect(start.fields.logMaxBytes).toBe(LIMIT);
    expect(await flood(worker, start)).toBeGreaterThan(LIMIT);
    expect(await worker.link.closed).toMatchObject({ cause: 'goodbye', code: 'flow-violation' });
    expect(await outcome).toMatchObject({ status: 'unknown', message: expect.stringContaining('100 KB') });
    const stored = await bench.storedLength(order.log);
    expect(stored).toBeGreaterThan(LIMIT);
    expect(stored).toBeLessThanOrEqual(MOST);
  });

  it('cannot begin anew with each connection, nor with each start of the master', async () => {
    const first = await WorkerPeer.connect(bench.desk, { clock: bench.clock });
    const order = await bench.order(undefined, undefined, { logMaxBytes: LIMIT });
    void bench.run({ ...order, logMaxBytes: LIMIT });
    const start = await first.started(order.command);
    const half = LIMITS.logSlackBytes / 2;
    for (let offset = 0; offset < half; offset += 65_536) await first.print(start, offset, Buffer.alloc(65_536));
    await first.got('log.ack', ({ offset }) => offset === half);
    await bench.restart();
    const second = await WorkerPeer.connect(bench.desk, { clock: bench.clock }, { commands: [held(start)] });
    const { fence } = (await second.got('session.open')).fields;
    await flood(second, { ...start, fields: { ...start.fields, fence } }, half);
    expect(await second.link.closed).toMatchObject({ code: 'flow-violation' });
    expect(await bench.run(order)).toMatchObject({ status: 'unknown' });
    expect(await bench.storedLength(order.log)).toBeLessThanOrEqual(MOST);
  });

  it('may send no more holes than the slack has room for', async () => {
    const worker = await WorkerPeer.connect(bench.desk, { clock: bench.clock });
    const order = await bench.order();
    const outcome = bench.run({ ...order, logMaxBytes: 0 });
    const start = await worker.started(order.command);
    const { command, fence } = start.fields;
    const allowed = LIMITS.logSlackBytes / LIMITS.holeWeightBytes;
    for (let offset = 0; offset <= allowed; offset++) {
      await until('there is room', () => worker.link.room(start.session, 'log') > 0);
      worker.link.send('log.hole', start.session, { command, fence, offset, length: 1, reason: 'limit' });
    }
    expect(await outcome).toMatchObject({ status: 'unknown' });
    expect(await bench.storedLength(order.log)).toBeLessThanOrEqual(allowed);
  });
});

it('shows the notice at once and the count at the end, each in its place, told twice or not', async () => {
  const worker = await WorkerPeer.connect(bench.desk, { clock: bench.clock });
  const order = await bench.order();
  const outcome = bench.run({ ...order, logMaxBytes: LIMIT });
  const start = await worker.started(order.command);
  const { command, fence } = start.fields;
  const send = (fields: { readonly offset: number; readonly length: number; readonly [key: string]: unknown }): void =>
    worker.link.send('log.hole', start.session, { command, fence, reason: 'limit', ...fields });
  await worker.print(start, 0, Buffer.from('head\n'));
  send({ offset: 5, length: 1, keepsBytes: 5 });
  send({ offset: 5, length: 1, keepsBytes: 5 });
  await worker.got('log.ack', ({ offset }) => offset === 6);
  expect(await bench.text(order.log)).toMatch(/^head\n\n\[trunkline: .*limit.*last 5 bytes are kept\]\n$/);
  send({ offset: 6, length: 94, leftOutBytes: 95 });
  send({ offset: 6, length: 94, leftOutBytes: 95 });
  await worker.print(start, 100, Buffer.from('tail\n'));
  worker.finish(start, 105);
  expect(await outcome).toMatchObject({ status: 'exited' });
  expect(await bench.text(order.log)).toMatch(
    /^head\n\n\[[^\]]*\]\n\n\[trunkline: 95 bytes were left out here: [^\]]*\]\ntail\n$/,
  );
  expect(worker.all('log.want')).toEqual([]);
  // A step that captures output is given output, no line of ours.
  expect(await readTail(bench.store.logs, order.log.id, 1_000)).toBe('tail\n');
});
