import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { Disposer } from '../../../src/base/disposer.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import { listenSsh } from '../../../src/transport/ssh-server.ts';
import type { SshServer } from '../../../src/transport/ssh-server.ts';
import { initWorker } from '../../../src/worker/init-worker.ts';
import { openWorker } from '../../../src/worker/worker.ts';
import type { Worker } from '../../../src/worker/worker.ts';
import { until } from '../../support/until.ts';
import { ScriptedMaster } from './scripted-master.ts';

// Real processes on a machine that may be busy: only a hang takes so long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let undo: Disposer;
let root: string;
let dir: string;
beforeEach(async () => {
  undo = new Disposer();
  root = await mkdtemp(join(tmpdir(), 'tl-s-'));
  dir = join(root, 'w');
  undo.add(() => rm(root, { recursive: true, force: true, maxRetries: 10 }));
});
afterEach(() => undo.dispose());

const hostKey = makeKeyPair('host');
const admitted = new Set<string>();

async function serve(master: ScriptedMaster): Promise<SshServer> {
  const server = await listenSsh({
    host: '127.0.0.1',
    port: 0,
    hostKeys: [hostKey.privateKey],
    clock: systemClock,
    logger: silentLogger,
    authenticate: (name, key) =>
      admitted.has(key.blob) ? { name, role: 'worker' } : { refused: 'no such key is admitted' },
    onWorker: (_principal, carrier) => void master.accept(carrier),
    onPerson: (_principal, call) => call.exit(1),
  });
  undo.add(() => server.close());
  return server;
}

async function start(told: string[]): Promise<Worker> {
  const logger = { ...silentLogger, warn: (message: string) => void told.push(message) };
  const worker = await openWorker({ dir, clock: systemClock, logger });
  undo.add(() => worker.stop());
  return worker;
}

test('a worker asks for the host key once, waits to be let in, runs a command and says goodbye', async () => {
  const master = new ScriptedMaster();
  const server = await serve(master);
  const asked: string[] = [];
  const { publicKeyLine } = await initWorker({
    dir,
    name: 'w',
    masters: [`127.0.0.1:${server.port}`],
    confirm: async (fingerprint) => await Promise.resolve(asked.push(fingerprint) > 0),
  });
  expect(asked).toEqual([hostKey.fingerprint]);
  const told: string[] = [];
  const worker = await start(told);
  await until('it is refused', () => told.length > 0);
  expect(told[0]).toContain('worker add w');
  admitted.add(publicKeyLine.split(' ')[1] ?? '');
  master.seat('s1', 'p/b');
  const ordered = master.run('u.1.1', 's1', 'seq 1 50000');
  expect(await master.end(ordered)).toMatchObject({ exitCode: 0 });
  expect(master.log(ordered).toString().endsWith('\n49999\n50000\n')).toBe(true);
  expect(worker.state().link).toBe('connected');
  master.forget('u.1.1');
  await until('the spool is empty', async () => !(await readdir(join(dir, 'spool'))).includes('u.1.1'));
  const { link } = master;
  await worker.stop();
  expect(await link?.closed).toMatchObject({ cause: 'goodbye', code: 'stopping' });
  expect(worker.state().link).toBe('stopped');
});

test('another host key than the pinned one is told in one line with what to do, and never trusted', async () => {
  const master = new ScriptedMaster();
  const server = await serve(master);
  const pinned = makeKeyPair('other').fingerprint;
  const masters = [`127.0.0.1:${server.port}`];
  await expect(
    initWorker({ dir, name: 'w', masters, confirm: async () => await Promise.resolve(false) }),
  ).rejects.toThrow(/was not accepted: nothing was made/);
  await initWorker({ dir, name: 'w', masters, hostKeys: [pinned] });
  admitted.add((await readFile(join(dir, 'key.pub'), 'utf8')).split(' ')[1] ?? '');
  const told: string[] = [];
  await start(told);
  await until('it is told', () => told.length > 0);
  expect(told[0]).toContain(hostKey.fingerprint);
  expect(told[0]).toContain(pinned);
  expect(told[0]).toContain('worker.json');
  expect(master.link).toBeUndefined();
});
