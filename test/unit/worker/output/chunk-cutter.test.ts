import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { ChunkCutter } from '../../../../src/worker/output/chunk-cutter.ts';
import type { Chunk } from '../../../../src/worker/output/chunk-cutter.ts';

const clock = new FakeClock(5_000);

/** Reads in pieces of an odd size, as segments end where they end. */
function cutterOf(log: Uint8Array, piece = 100_003): ChunkCutter {
  return new ChunkCutter({
    clock,
    read: async (offset, maxBytes) => log.slice(offset, offset + Math.min(maxBytes, piece)),
  });
}

async function all(cutter: ChunkCutter): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for (let chunk = await cutter.next(); chunk; chunk = await cutter.next()) chunks.push(chunk);
  return chunks;
}

function unpack(chunks: readonly Chunk[]): Buffer {
  return Buffer.concat(chunks.map((chunk) => (chunk.codec === 'gzip' ? gunzipSync(chunk.body) : chunk.body)));
}

test('chunks put together are the log, each at its offset, with its newlines', async () => {
  const log = Buffer.from('a line of the log, not very varied\n'.repeat(30_000));
  const chunks = await all(cutterOf(log));
  expect(unpack(chunks).equals(log)).toBe(true);
  expect(chunks.map((chunk) => chunk.length)).toEqual([262_144, 262_144, 262_144, 262_144, log.length - 4 * 262_144]);
  expect(chunks.map((chunk) => chunk.offset)).toEqual([0, 262_144, 524_288, 786_432, 1_048_576]);
  expect(chunks.reduce((sum, chunk) => sum + chunk.lines, 0)).toBe(30_000);
  expect(chunks.every((chunk) => chunk.codec === 'gzip' && chunk.atMs === 5_000)).toBe(true);
});

test('small and incompressible chunks stay raw', async () => {
  expect(await all(cutterOf(Buffer.from('x'.repeat(1_023))))).toMatchObject([{ codec: 'raw', length: 1_023 }]);
  expect(await all(cutterOf(Buffer.from('x'.repeat(1_024))))).toMatchObject([{ codec: 'gzip', length: 1_024 }]);
  const noise = randomBytes(50_000);
  const chunks = await all(cutterOf(noise));
  expect(chunks).toMatchObject([{ codec: 'raw', length: 50_000 }]);
  expect(unpack(chunks).equals(noise)).toBe(true);
});

test('several may be asked for at once and come without overlap', async () => {
  const log = Buffer.from(Array.from({ length: 100_000 }, (_, i) => `${i}\n`).join(''));
  const cutter = cutterOf(log);
  const chunks = await Promise.all([cutter.next(), cutter.next(), cutter.next(), cutter.next()]);
  expect(chunks[3]).toBeUndefined();
  expect(unpack(chunks.filter((chunk) => chunk !== undefined)).equals(log)).toBe(true);
});

test('nothing there is no chunk, and what comes later begins where the last ended', async () => {
  let log = Buffer.alloc(0);
  const cutter = new ChunkCutter({ clock, read: async (offset, max) => log.subarray(offset, offset + max) });
  expect(await cutter.next()).toBeUndefined();
  log = Buffer.from('one\n');
  expect(await cutter.next()).toMatchObject({ offset: 0, length: 4, lines: 1 });
  log = Buffer.from('one\ntwo');
  expect(await cutter.next()).toMatchObject({ offset: 4, length: 3, lines: 0 });
});

test('a rewind cuts anew from an offset inside an earlier chunk', async () => {
  const log = Buffer.from('0123456789'.repeat(10));
  const cutter = cutterOf(log);
  await cutter.next();
  await cutter.rewind(33);
  const chunk = await cutter.next();
  expect(chunk).toMatchObject({ offset: 33, length: 67 });
  expect(Buffer.from(chunk!.body).equals(log.subarray(33))).toBe(true);
});

test('a read that fails is told, and the next one begins at the same place', async () => {
  let isBroken = true;
  const cutter = new ChunkCutter({
    clock,
    read: async (offset) => {
      if (isBroken) throw new Error('the disk is gone');
      return offset === 0 ? Buffer.from('back') : Buffer.alloc(0);
    },
  });
  await expect(cutter.next()).rejects.toThrow('the disk is gone');
  isBroken = false;
  expect(await cutter.next()).toMatchObject({ offset: 0, length: 4 });
});
