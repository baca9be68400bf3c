import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CommandOrder } from '../../../../src/master/link/desk.ts';
import type { Message, Outcome } from '../../../../src/protocol/messages.ts';
import { until } from '../../../support/until.ts';
import { DeskBench } from '../link/desk-bench.ts';
import { WorkerPeer, held, sha256 } from '../link/worker-peer.ts';

interface Leg {
  /** Bytes of the worker's that arrive before the line is cut. */
  readonly cutAfter: number;
  readonly chunkBytes: number;
  /** The worker forgets where it was: it sends from so many bytes before. */
  readonly backBytes: number;
  /** The master begins anew instead of the line being cut by itself. */
  readonly isRestart: boolean;
}

const leg: fc.Arbitrary<Leg> = fc.record({
  cutAfter: fc.integer({ min: 0, max: 200_000 }),
  chunkBytes: fc.integer({ min: 1_000, max: 250_000 }),
  backBytes: fc.integer({ min: 0, max: 300_000 }),
  isRestart: fc.boolean(),
});

const PIECE = 16_000;

/** Sends all from `from` on in chunks, as a worker does, until the end or the link's end; heeds `log.want`. */
async function stream(
  worker: WorkerPeer,
  start: Message<'command.start'>,
  from: number,
  output: Buffer,
  chunkBytes: number,
) {
  const { session, fields } = start;
  const { command, fence } = fields;
  let isOver = false;
  void worker.link.closed.then(() => (isOver = true));
  let offset = from;
  let wants = 0;
  let position = 0;
  let isTold = false;
  await until('the link ends', () => {
    const wanted = worker.all('log.want').at(wants);
    if (wanted) {
      wants++;
      [offset, position, isTold] = [wanted.fields.offset, 0, false];
    }
    while (offset < output.length && worker.link.room(session, 'log') >= PIECE) {
      const chunk = output.subarray(offset, offset + chunkBytes);
      const bytes = chunk.subarray(position, position + PIECE);
      const lines = chunk.filter((byte) => byte === 10).length;
      const head = {
        command,
        fence,
        offset,
        length: chunk.length,
        atMs: 1,
        lines,
        codec: 'raw',
        size: chunk.length,
      } as const;
      worker.link.send('log.append', session, { ...head, position, bytes });
      position += bytes.length;
      if (position < chunk.length) continue;
      [offset, position] = [offset + chunk.length, 0];
    }
    if (offset >= output.length && !isTold) {
      isTold = true;
      worker.finish({ ...start, fields: { ...fields, fence } }, output.length);
    }
    return isOver;
  });
}

it('stores a log byte for byte, however often the line or the master goes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(leg, { maxLength: 4 }), fc.integer({ min: 0, max: 700_000 }), async (legs, length) => {
      const bench = await DeskBench.make();
      try {
        const output = randomBytes(length);
        const order = await bench.order();
        const outcome = await runLegs(bench, order, output, legs);
        expect(outcome).toMatchObject({ status: 'exited' });
        const pieces: Uint8Array[] = [];
        for await (const piece of bench.store.logs.read(order.log.id, 0, Infinity)) pieces.push(Uint8Array.from(piece));
        expect(sha256(Buffer.concat(pieces))).toBe(sha256(output));
      } finally {
        await bench.remove();
      }
    }),
    { numRuns: 12, seed: 20261121 },
  );
}, 120_000);

async function runLegs(bench: DeskBench, order: CommandOrder, output: Buffer, legs: readonly Leg[]): Promise<Outcome> {
  let outcome = bench.run(order);
  let start: Message<'command.start'> | undefined;
  const last = { cutAfter: Infinity, chunkBytes: 100_000, backBytes: 50, isRestart: false };
  for (const { cutAfter, chunkBytes, backBytes, isRestart } of [...legs, last]) {
    const commands = start ? [held(start, { outputEnd: output.length })] : [];
    const worker = await WorkerPeer.connect(bench.desk, { clock: bench.clock }, { commands });
    const verdict = (await worker.got('inventory.answer')).fields.commands[0];
    if (start && verdict?.verdict !== 'continue') return outcome;
    if (!start) start = await worker.started(order.command);
    else {
      const { fence } = (await worker.got('session.open')).fields;
      start = { ...start, fields: { ...start.fields, fence } };
    }
    if (cutAfter < Infinity) worker.faults.cutAfter('worker', cutAfter);
    const streaming = stream(worker, start, Math.max(0, (verdict?.from ?? 0) - backBytes), output, chunkBytes);
    if (cutAfter === Infinity) {
      const end = await outcome;
      worker.faults.cut();
      await streaming;
      return end;
    }
    await Promise.race([streaming, outcome]);
    worker.faults.cut();
    await streaming;
    await until('the loss is seen', () => !bench.desk.connected().has('w'));
    if (!isRestart) continue;
    await bench.restart();
    outcome = bench.run(order);
  }
  return outcome;
}
