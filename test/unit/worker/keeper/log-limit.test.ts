import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { planSending } from '../../../../src/protocol/resume.ts';
import { claimFile, FILES, outputRange, readRecord } from '../../../../src/worker/keeper/command-files.ts';
import type { Keeper } from '../../../../src/worker/keeper/keeper.ts';
import { finished, isRunning, readAll, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const KiB = 1024;
const LIMIT = 512 * KiB;
const LINES = 500_000;
const wanted = Buffer.from(Array.from({ length: LINES }, (_, i) => `${i + 1}\n`).join(''));
const LIMITS = { segmentBytes: 64 * KiB, commandBytes: 1024 * KiB };

async function bytesOnDisk(dir: string): Promise<number> {
  const sizes = (await readdir(dir)).map((name) =>
    stat(join(dir, name)).then(
      ({ size }) => size,
      // Deleted since it was listed.
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** What a sender would send of an ended command: its bytes, and what was left out. */
async function allOf(keeper: Keeper, command: string): Promise<{ bytes: Buffer; leftOut: number; lost: number }> {
  const held = (await keeper.find(command))!;
  const pieces: Uint8Array[] = [];
  const sum = { leftOut: 0, lost: 0 };
  for (let at = 0; ;) {
    const plan = planSending(held, at);
    if (plan.hole) {
      sum[plan.hole.reason === 'limit' ? 'leftOut' : 'lost'] += plan.hole.length;
      at += plan.hole.length;
      continue;
    }
    if (plan.to === at) return { bytes: Buffer.concat(pieces), ...sum };
    const piece = await keeper.read(command, at, Math.min(50_000, plan.to - at));
    expect(piece.byteLength).toBeGreaterThan(0);
    pieces.push(piece);
    at += piece.byteLength;
  }
}

function headAndTail(output: Buffer, cap: { readonly headBytes: number; readonly tailBytes: number }): Buffer {
  return Buffer.concat([output.subarray(0, cap.headBytes), output.subarray(output.length - cap.tailBytes)]);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

test('beyond its limit the head and the tail of an output are kept, and nobody has to make room', async () => {
  const spool = await SpoolFixture.make(LIMITS);
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', `seq 1 ${LINES}; echo "at $?" >&2`, { logMaxBytes: LIMIT }));
  const { cap, outputEnd } = await finished(keeper, 'c1');
  const output = Buffer.concat([wanted, Buffer.from('at 0\n')]);
  expect(outputEnd).toBe(output.length);
  expect(cap!.headBytes + cap!.tailBytes).toBe(LIMIT);
  const { bytes, leftOut, lost } = await allOf(keeper, 'c1');
  expect(sha256(bytes)).toBe(sha256(headAndTail(output, cap!)));
  expect([leftOut, lost]).toEqual([output.length - LIMIT, 0]);
  expect(await bytesOnDisk(join(spool.dir, 'c1'))).toBeLessThan(LIMIT + 3 * LIMITS.segmentBytes);
});

test('the end of an output is never told too early while its ring turns', async () => {
  const spool = await SpoolFixture.make({ segmentBytes: 4 * KiB, commandBytes: 64 * KiB });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', `seq 1 ${4 * LINES}`, { logMaxBytes: 32 * KiB }));
  const dir = join(spool.dir, 'c1');
  const claim = readRecord(dir, FILES.claim, claimFile)!;
  let [end, looks] = [0, 0];
  while (!existsSync(join(dir, FILES.outcome))) {
    for (let i = 0; i < 200; i++) {
      const range = outputRange(dir, claim);
      expect(range.end).toBeGreaterThanOrEqual(end);
      ({ end } = range);
      looks += 1;
    }
    await setImmediate();
  }
  expect((await finished(keeper, 'c1')).outputEnd).toBeGreaterThanOrEqual(end);
  expect(looks).toBeGreaterThan(200);
});

test('an output that does not exceed its limit is kept whole', async () => {
  const spool = await SpoolFixture.make(LIMITS);
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', `head -c ${LIMIT} /dev/urandom`, { logMaxBytes: LIMIT }));
  const { outputEnd } = await finished(keeper, 'c1');
  expect(outputEnd).toBe(LIMIT);
  expect((await allOf(keeper, 'c1')).bytes.equals(await readAll(keeper, 'c1'))).toBe(true);
});

test('the head is acknowledged and deleted as ever, and the ring turns on', async () => {
  const spool = await SpoolFixture.make(LIMITS);
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', `while [ ! -e go ]; do seq 1 20000; done`, { logMaxBytes: LIMIT }));
  const { headBytes, tailBytes } = await until('the ring turns', async () => {
    const held = await keeper.find('c1');
    return held!.outputEnd > 3 * LIMIT && held!.cap;
  });
  await keeper.acknowledge('c1', headBytes + 1);
  const held = (await keeper.find('c1'))!;
  expect(held.outputStart).toBe(headBytes);
  expect(held.outputEnd - held.cap!.heldFrom).toBeGreaterThanOrEqual(tailBytes);
  expect(await bytesOnDisk(join(spool.dir, 'c1'))).toBeLessThan(tailBytes + 4 * LIMITS.segmentBytes);
  await until('it turns on', async () => (await keeper.find('c1'))!.outputEnd > held.outputEnd + 3 * LIMIT);
  await keeper.interrupt('c1', 'enough');
  const end = await finished(keeper, 'c1');
  expect(planSending(end, 0)).toEqual({ hole: { offset: 0, length: headBytes, reason: 'lost' } });
  expect(end.outputEnd - end.cap!.heldFrom).toBeGreaterThanOrEqual(tailBytes);
});

test('a keeper that is killed while its ring turns leaves head and tail, and the end says so', async () => {
  const spool = await SpoolFixture.make(LIMITS);
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', `while :; do seq 1 20000; done`, { logMaxBytes: LIMIT }));
  await until('the ring turns', async () => (await keeper.find('c1'))!.outputEnd > 3 * LIMIT);
  const pid = await spool.keeperPid('c1');
  process.kill(pid, 'SIGKILL');
  await until('it is dead', async () => !(await isRunning(pid)));
  const { outcome, outputEnd, cap } = await finished(keeper, 'c1');
  expect(outcome).toMatchObject({ status: 'unknown' });
  const again = await spool.open();
  const { bytes, leftOut, lost } = await allOf(again, 'c1');
  const round = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `${i + 1}\n`).join(''));
  const output = Buffer.alloc(outputEnd, round);
  expect(sha256(bytes)).toBe(sha256(headAndTail(output, cap!)));
  expect([leftOut, lost]).toEqual([outputEnd - LIMIT, 0]);
});

test('tails that fill the spool hold nobody up', async () => {
  const spool = await SpoolFixture.make({ ...LIMITS, workerBytes: LIMITS.commandBytes });
  const keeper = await spool.open();
  const names = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6'];
  for (const name of names) {
    await keeper.start(
      spool.shell(name, `until [ -e go ]; do sleep 0.05; done; seq 1 ${LINES}`, { logMaxBytes: LIMIT }),
    );
  }
  await writeFile(join(spool.work, 'go'), '');
  await until('all have ended, though their tails are more than the spool may hold', async () => {
    const all = await keeper.list();
    // The master stores all that it can be sent.
    const running = all.flatMap((held) => (held.state === 'running' && held.cap ? [{ ...held, cap: held.cap }] : []));
    for (const { command, outputEnd, cap } of running) {
      await keeper.acknowledge(command, Math.min(outputEnd, cap.headBytes));
    }
    return all.every(({ state }) => state === 'finished');
  });
  for (const name of names) expect((await keeper.find(name))!.outputEnd).toBe(wanted.length);
});
