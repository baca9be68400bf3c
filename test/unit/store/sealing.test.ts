import { appendFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { chunkOf, hole, noise, readAll } from '../../support/log-chunks.ts';
import { sealed } from '../../support/sealed.ts';
import { emptyLog, TempStore } from '../../support/temp-store.ts';
import { until } from '../../support/until.ts';

let temp: TempStore;
beforeEach(async () => {
  temp = await TempStore.make();
});
afterEach(() => temp.remove());

const fileOf = (logId: number) => join(temp.archiveDir, '0', `${logId}.log.gz`);

it('makes a gzip file of exactly what a reader sees, holes told', async () => {
  const store = await temp.open();
  const { id } = await emptyLog(store);
  const big = noise(100_000);
  await store.logs.append(id, chunkOf(Buffer.from('one\n'), 0, 'raw'));
  await store.logs.append(id, chunkOf(Buffer.from('two\nthr'), 4, 'gzip'));
  await store.logs.append(id, hole(11, 5_000_000_000));
  await store.logs.append(id, chunkOf(big, 5_000_000_011, 'gzip'));
  await sealed(temp, id, 5_000_100_011);
  const seen = await readAll(store, id);
  expect(seen.toString('latin1')).toContain('one\ntwo\nthr\n[trunkline: 5000000000 bytes were lost here');
  expect(gunzipSync(await readFile(fileOf(id))).equals(seen)).toBe(true);
  expect(seen.subarray(-big.length).equals(big)).toBe(true);
});

it('joins small chunks, so that a file of many is not longer than the text compressed', async () => {
  const store = await temp.open();
  const { id } = await emptyLog(store);
  let length = 0;
  const lines: string[] = [];
  const writes: Promise<void>[] = [];
  for (let n = 0; n < 500; n++) {
    const line = `line ${n} of a log that comes drop by drop\n`;
    lines.push(line);
    writes.push(store.logs.append(id, chunkOf(Buffer.from(line), length, 'raw')));
    length += line.length;
  }
  await Promise.all(writes);
  await sealed(temp, id, length);
  expect((await stat(fileOf(id))).size).toBe(gzipSync(lines.join('')).byteLength);
});

it('seals a large log when it is complete, without waiting for a round', async () => {
  const store = await temp.open();
  const { id } = await emptyLog(store);
  const bytes = noise(200_000);
  await store.logs.append(id, chunkOf(bytes, 0, 'gzip'));
  await store.logs.complete(id, 5);
  await until('the log is in its file', async () => (await size(fileOf(id))) > 0);
  expect((await readAll(store, id)).equals(bytes)).toBe(true);
});

it('cuts off an append that was never committed', async () => {
  const store = await temp.open();
  const { id } = await emptyLog(store);
  const [first, second] = [noise(80_000), noise(90_000, 2)];
  await store.logs.append(id, chunkOf(first, 0, 'gzip'));
  await sealed(temp, id, first.length);
  await store.logs.append(id, chunkOf(second, first.length, 'gzip'));
  await store.close();
  // What a crash between the file and the database leaves: here more than the next append will write.
  await appendFile(fileOf(id), noise(500_000));
  const again = await temp.open();
  const whole = Buffer.concat([first, second]);
  expect((await readAll(again, id)).equals(whole)).toBe(true);
  await sealed(temp, id, whole.length);
  expect((await readAll(again, id)).equals(whole)).toBe(true);
  expect(gunzipSync(await readFile(fileOf(id))).equals(whole)).toBe(true);
});

it('keeps the rows of a log whose file has lost bytes, says so, and seals the others', async () => {
  const errors: unknown[] = [];
  const store = await temp.open({
    logger: { ...silentLogger, error: (_message, fields) => void errors.push(fields?.['error']) },
  });
  const damaged = await emptyLog(store, 'c1');
  const sound = await emptyLog(store, 'c2');
  const bytes = noise(70_000);
  await store.logs.append(damaged.id, chunkOf(bytes, 0, 'gzip'));
  await sealed(temp, damaged.id, bytes.length);
  await truncate(fileOf(damaged.id), 1_000);
  await store.logs.append(damaged.id, chunkOf(Buffer.from('more\n'), bytes.length, 'raw'));
  await store.logs.append(sound.id, chunkOf(bytes, 0, 'gzip'));
  await sealed(temp, sound.id, bytes.length);
  await until('the failure is told', () => errors.length > 0);
  expect(String(errors[0])).toContain(fileOf(damaged.id));
  expect((await readAll(store, damaged.id, bytes.length)).toString()).toBe('more\n');
  await expect(readAll(store, damaged.id)).rejects.toMatchObject({ code: 'damaged' });
  await rm(fileOf(damaged.id));
  await expect(readAll(store, damaged.id)).rejects.toMatchObject({ code: 'damaged' });
});

it('takes logs also when the archive cannot be written', async () => {
  await writeFile(temp.archiveDir, 'in the way');
  const errors: unknown[] = [];
  const store = await temp.open({
    logger: { ...silentLogger, error: (_message, fields) => void errors.push(fields?.['error']) },
  });
  const { id } = await emptyLog(store);
  const bytes = noise(100_000);
  await store.logs.append(id, chunkOf(bytes, 0, 'gzip'));
  await store.logs.complete(id, 1);
  await until('the failure is told', () => errors.length > 0);
  expect(String(errors[0])).toContain(fileOf(id));
  expect((await readAll(store, id)).equals(bytes)).toBe(true);
  await rm(temp.archiveDir);
  await sealed(temp, id, bytes.length);
  expect((await readAll(store, id)).equals(bytes)).toBe(true);
});

it('reads on while the log is sealed under its hands', async () => {
  const store = await temp.open();
  const { id } = await emptyLog(store);
  const whole = noise(20 * 30_000);
  for (let at = 0; at < whole.length; at += 30_000) {
    await store.logs.append(id, chunkOf(whole.subarray(at, at + 30_000), at, 'gzip'));
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of store.logs.read(id, 0, whole.length)) {
    if (pieces.push(piece) === 3) await sealed(temp, id, whole.length);
  }
  expect(Buffer.concat(pieces).equals(whole)).toBe(true);
});

async function size(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.size ?? 0;
}
