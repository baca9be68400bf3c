import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { deferred } from '../../../../src/base/deferred.ts';
import type { Patch } from '../../../../src/model/source-stamp.ts';
import { PATCH_MAX_BYTES, PatchFolder } from '../../../../src/master/patches/patch-folder.ts';
import { until } from '../../../support/until.ts';

let dir: string;
let clock: FakeClock;
let inUse: string[];
let folder: PatchFolder;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-patches-'));
  clock = new FakeClock();
  inUse = [];
  folder = await open();
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function open(): Promise<PatchFolder> {
  return PatchFolder.open({ dir, clock, inUse: () => Promise.resolve(inUse) });
}

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  // As ssh hands them: each is only good until the next.
  const buffer = Buffer.alloc(100);
  for (const text of texts) {
    await Promise.resolve();
    yield buffer.subarray(0, buffer.write(text));
  }
}

/** Zeros, without end. */
async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) {
    await Promise.resolve();
    yield Buffer.alloc(1024 * 1024);
  }
}

const keep = (patch: Patch): Promise<Patch> => Promise.resolve(patch);

test('a patch is on disk as it came before its row is made', async () => {
  let seen = '';
  const patch = await folder.take(pieces('one ', 'two'), async (taken) => {
    seen = await readFile(join(dir, `${taken.id}.patch`), 'utf8');
    return taken;
  });
  expect(seen).toBe('one two');
  expect(patch).toMatchObject({ bytes: 7, sha256: createHash('sha256').update('one two').digest('hex') });
  expect(await readdir(dir)).toEqual([`${patch.id}.patch`]);
});

test('nothing stays of one that is empty, too long, cut off, or wanted by no row', async () => {
  await expect(folder.take(pieces(), keep)).rejects.toMatchObject({ code: 'usage' });
  await expect(folder.take(endless(), keep)).rejects.toThrow('longer than 32 MiB');
  const cut = async function* (): AsyncGenerator<Uint8Array> {
    yield* pieces('half');
    throw new Error('the caller is gone');
  };
  await expect(folder.take(cut(), keep)).rejects.toThrow('the caller is gone');
  await expect(folder.take(pieces('x'), () => Promise.reject(new Error('no row')))).rejects.toThrow('no row');
  expect(await readdir(dir)).toEqual([]);
});

test('who falls silent gives up his place', async () => {
  const silent = async function* (): AsyncGenerator<Uint8Array> {
    yield* pieces('a');
    await new Promise(() => undefined);
  };
  const refused = expect(folder.take(silent(), keep)).rejects.toThrow('nothing came on standard input for 1m');
  await until('the first piece is on disk', async () => {
    const [name] = await readdir(dir);
    return name !== undefined && (await readFile(join(dir, name), 'utf8')) === 'a';
  });
  await until('the silence is over', async () => {
    clock.advance(60_000);
    return (await readdir(dir)).length === 0;
  });
  await refused;
});

test('only some are on their way at the same time', async () => {
  const gate = deferred();
  const waiting = async function* (): AsyncGenerator<Uint8Array> {
    await gate.promise;
    yield* pieces('x');
  };
  const taken = Array.from({ length: 8 }, () => folder.take(waiting(), keep));
  await expect(folder.take(pieces('y'), keep)).rejects.toMatchObject({ code: 'unavailable' });
  gate.resolve();
  await Promise.all(taken);
  await folder.take(pieces('y'), keep);
  expect(await readdir(dir)).toHaveLength(9);
});

test('what a killed master left half made is removed at the next start, and what it had whole is not', async () => {
  await writeFile(join(dir, 'half.part'), 'x');
  await writeFile(join(dir, 'whole.patch'), 'x');
  await open();
  expect(await readdir(dir)).toEqual(['whole.patch']);
});

test('room is made by what nobody waits for; when all is wanted the next is refused', async () => {
  const put = async (id: string): Promise<void> => {
    const file = join(dir, `${id}.patch`);
    await writeFile(file, '');
    // A hole: it takes no room on this disk.
    await truncate(file, 31 * PATCH_MAX_BYTES);
    await utimes(file, clock.now() / 1_000, clock.now() / 1_000);
  };
  await put('unwanted');
  await folder.take(pieces('x'), keep);
  await folder.take(pieces('y'), keep);
  expect(await readdir(dir)).not.toContain('unwanted.patch');
  await put('wanted');
  await writeFile(join(dir, 'more.patch'), 'x');
  inUse = ['wanted', 'more'];
  await expect(folder.take(pieces('z'), keep)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('1 GiB'),
  });
  expect(await readdir(dir)).toEqual(expect.arrayContaining(['wanted.patch', 'more.patch']));
});
