import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { UserMistake } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { loadPrivateKey } from '../../../src/transport/keys.ts';
import { askWorker } from '../../../src/worker/control.ts';
import { initWorker } from '../../../src/worker/init-worker.ts';
import { parseMasterAddress } from '../../../src/worker/master-address.ts';
import { KEEPER_LIMITS } from '../../../src/worker/keeper/keeper-limits.ts';
import { loadWorkerDir } from '../../../src/worker/worker-dir.ts';
import { openWorker } from '../../../src/worker/worker.ts';
import type { Worker } from '../../../src/worker/worker.ts';
import { SOME_HOST_KEY } from './try-worker.ts';

// Real processes on a machine that may be busy: only a hang takes so long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let root: string;
let dir: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tl-d-'));
  dir = join(root, 'w');
});
afterEach(() => rm(root, { recursive: true, force: true, maxRetries: 10 }));

const init = (more: object = {}): ReturnType<typeof initWorker> =>
  initWorker({ dir, name: 'w', masters: ['127.0.0.1:1', 'ci.example.org'], hostKeys: [SOME_HOST_KEY], ...more });

/** A line that nobody answers: the daemon waits for it until it is stopped. */
const start = (more: { readonly called?: string } = {}): Promise<Worker> =>
  openWorker({ dir, clock: systemClock, logger: silentLogger, connect: () => new Promise(() => undefined), ...more });

test('init makes a folder with a key of its own, and start finds all in it', async () => {
  const { publicKeyLine } = await init();
  const key = await loadPrivateKey(join(dir, 'key'));
  expect(publicKeyLine).toBe(`${key.publicKeyLine} w`);
  expect(await readFile(join(dir, 'key.pub'), 'utf8')).toBe(`${publicKeyLine}\n`);
  expect((await stat(join(dir, 'key'))).mode & 0o777).toBe(0o600);
  const loaded = await loadWorkerDir(dir);
  expect(loaded).toMatchObject({ name: 'w', hostKeys: [SOME_HOST_KEY] });
  expect(loaded.masters).toEqual([
    { host: '127.0.0.1', port: 1 },
    { host: 'ci.example.org', port: 2222 },
  ]);
});

test('the limits of the spool are set in worker.json, and a mistake there is told with its place', async () => {
  await init();
  const file = join(dir, 'worker.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  const withSpool = (spool: object): Promise<void> => writeFile(file, JSON.stringify({ ...config, spool }));
  expect((await loadWorkerDir(dir)).spool).toEqual(KEEPER_LIMITS);
  await withSpool({ perCommand: '8MiB', inAll: '1GB', keepFree: '0B' });
  expect((await loadWorkerDir(dir)).spool).toMatchObject({
    commandBytes: 8 * 1024 * 1024,
    segmentBytes: 1024 * 1024,
    workerBytes: 1e9,
    freeBytes: 0,
  });
  await withSpool({ keepFree: 'some' });
  await expect(loadWorkerDir(dir)).rejects.toThrow(/worker\.json cannot be used: spool\.keepFree: "some" is no size/);
  await withSpool({ perCommand: '1KB' });
  await expect(loadWorkerDir(dir)).rejects.toThrow(/spool\.perCommand is 1KB, give it 1 MiB at least/);
});

test('init touches no worker that is there, no folder of others, and trusts nothing unseen', async () => {
  await init();
  const before = await readFile(join(dir, 'worker.json'), 'utf8');
  await expect(init()).rejects.toThrow(/holds a worker already/);
  expect(await readFile(join(dir, 'worker.json'), 'utf8')).toBe(before);

  dir = join(root, 'other');
  await mkdir(dir);
  await writeFile(join(dir, 'thesis.tex'), '');
  await expect(init()).rejects.toThrow(/not empty \(it holds thesis.tex\)/);
  dir = join(root, 'bad');
  await expect(init({ hostKeys: ['SHA256:short'] })).rejects.toThrow(UserMistake);
  await expect(init({ name: '../w' })).rejects.toThrow(UserMistake);
  await expect(init({ masters: ['a b'] })).rejects.toThrow(UserMistake);
  await expect(stat(dir)).rejects.toThrow(/ENOENT/);
});

test('a folder that is none, or is damaged, is told in one line that names it', async () => {
  await expect(loadWorkerDir(dir)).rejects.toThrow(/is no worker's folder: make one/);
  await init();
  await writeFile(join(dir, 'worker.json'), '{"name": 3}');
  await expect(loadWorkerDir(dir)).rejects.toThrow(/worker.json cannot be used: name/);
});

test('a folder has one daemon; the next may start as soon as the first has stopped', async () => {
  await init();
  const first = await start();
  await expect(start()).rejects.toThrow(/a worker runs in .* already: stop it first/);
  expect(await askWorker(dir, 'status')).toMatchObject({ name: 'w', pid: process.pid, link: 'connecting' });
  for (let round = 0; round < 5; round++) {
    await askWorker(dir, 'stop');
    await start();
  }
  await first.closed;
  await askWorker(dir, 'stop');
  await expect(askWorker(dir, 'stop')).rejects.toThrow(/no worker runs in .*: start it with "trunkline worker start /);
});

test('what is to be typed is told as the program is called that was asked', async () => {
  const called = 'node worker.mjs';
  await expect(loadWorkerDir(dir, called)).rejects.toThrow(`make one with "node worker.mjs init ${dir} …"`);
  await init();
  await expect(askWorker(dir, 'stop', { called })).rejects.toThrow(`start it with "node worker.mjs start ${dir}"`);
  await start();
  await expect(start({ called })).rejects.toThrow(`stop it first with "node worker.mjs stop ${dir}"`);
});

test('a folder with a long path can be asked too', async () => {
  dir = join(root, 'x'.repeat(120), 'w');
  await init();
  const worker = await start();
  expect(await askWorker(dir, 'status')).toMatchObject({ name: 'w' });
  await worker.stop();
});

test.each([
  ['ci', { host: 'ci', port: 2222 }],
  ['ci:22', { host: 'ci', port: 22 }],
  ['[::1]:22', { host: '::1', port: 22 }],
  ['[fe80::1]', { host: 'fe80::1', port: 2222 }],
])('the address %s', (text, address) => {
  expect(parseMasterAddress(text)).toEqual(address);
});

test.each(['', 'a b', 'ci:0', 'ci:70000', 'ci:', '::1', 'u@ci'])('no address: %j', (text) => {
  expect(() => parseMasterAddress(text)).toThrow(UserMistake);
});
