import { chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { UserMistake } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { checkMaster } from '../../../src/master/check-master.ts';
import { askMaster } from '../../../src/master/control.ts';
import { initMaster } from '../../../src/master/init-master.ts';
import { masterPaths } from '../../../src/master/master-dir.ts';
import { openMaster } from '../../../src/master/master.ts';
import type { Master } from '../../../src/master/master.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let parent: string;
let dir: string;
let open: Master[] = [];

const operator = { name: 'admin', key: makeKeyPair('admin').publicKeyLine };

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'tl-mm-'));
  dir = join(parent, 'm');
  await initMaster(dir, { listen: { host: '127.0.0.1', port: 0 }, operator });
});
afterEach(async () => {
  for (const master of open) await master.stop();
  open = [];
  await rm(parent, { recursive: true, force: true, maxRetries: 20 });
});

async function start(port = 0): Promise<Master> {
  const master = await openMaster({
    dir,
    clock: systemClock,
    logger: silentLogger,
    listen: { host: '127.0.0.1', port },
    onPerson: () => Promise.reject(new Error('nobody calls here')),
  });
  open.push(master);
  return master;
}

/** The one that the database has as active, of a master that does not run. */
async function activeConfig(): Promise<string | undefined> {
  const { database, logsDir } = masterPaths(dir);
  const store = await openStore({ file: database, archiveDir: logsDir, clock: systemClock, logger: silentLogger });
  try {
    return await store.configs.active();
  } finally {
    await store.close();
  }
}

/** The one line a person is told. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserMistake);
  const { message } = error as UserMistake;
  expect(message.split('\n').length).toBe(1);
  return message;
}

test('what init makes can be checked and started as it is, and says how to go on', async () => {
  const lines = await checkMaster(dir);
  expect(lines.join('\n')).toMatch(/1 project, 1 builder, 1 worker/);
  const master = await start();
  expect(lines.join('\n')).toContain(master.hostKeyFingerprint);
  expect((await askMaster(dir, 'status')).isReady).toBe(true);
  expect((await askMaster(dir, 'reload')).differences).toEqual([]);
});

test('init refuses a folder that holds something, and a name or a key that is none', async () => {
  const other = join(parent, 'other');
  const init = (where: string, over: object = {}): Promise<unknown> =>
    initMaster(where, { listen: { host: '::', port: 22 }, operator, ...over });
  expect(await refusal(init(dir))).toContain('already');
  await mkdir(other);
  await writeFile(join(other, 'thesis.tex'), '');
  expect(await refusal(init(other))).toContain('thesis.tex');
  expect(await refusal(init(join(other, 'thesis.tex')))).toContain('no folder');
  expect(await refusal(init(join(parent, 'n'), { operator: { ...operator, name: '../x' } }))).toContain('../x');
  expect(await refusal(init(join(parent, 'n'), { operator: { ...operator, key: 'ssh-ed25519 AAAA' } }))).toContain(
    'key',
  );
  expect(await readdir(parent)).toEqual(['m', 'other']);
});

test('a folder can be run once, and again after its master has stopped', async () => {
  await start();
  expect(await refusal(start())).toContain('runs in');
  expect(await askMaster(dir, 'stop')).toEqual({ stopped: true });
  expect(await refusal(askMaster(dir, 'status'))).toContain('no master runs');
  await start();
});

test('a path that is too long for a socket has its console all the same', async () => {
  const long = join(parent, 'x'.repeat(100));
  await rename(dir, long);
  dir = long;
  await start();
  expect((await askMaster(dir, 'status')).isReady).toBe(true);
});

test('what has to be set right is told in one line, and nothing is left behind', async () => {
  const key = join(dir, 'host_key');
  const config = join(dir, 'trunkline.config.ts');
  const text = await readFile(config, 'utf8');

  await rename(key, `${key}.away`);
  expect(await refusal(start())).toContain('is missing');
  await rename(`${key}.away`, key);
  await chmod(key, 0o644);
  expect(await refusal(start())).toContain('chmod 600');
  await chmod(key, 0o600);
  const good = await readFile(key, 'utf8');
  await writeFile(key, 'no key');
  expect(await refusal(start())).toContain('host_key');
  await writeFile(key, good);

  await writeFile(config, text.replace("workers: ['first']", "workers: ['second']"));
  expect(await refusal(start())).toContain('second');
  expect(await refusal(checkMaster(dir))).toContain('second');
  await writeFile(config, 'export default {{');
  expect(await refusal(start())).toMatch(/trunkline\.config\.ts:1:\d+/);
  await writeFile(config, text);

  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as { readonly port: number };
  expect(await refusal(start(port))).toContain(String(port));
  await new Promise((resolve) => holder.close(resolve));
  // What never ran must not be what new builds are made from.
  expect(await activeConfig()).toBeUndefined();

  await writeFile(join(dir, 'master.json'), '{"listen": {"port": "22"}}');
  expect(await refusal(start())).toContain('master.json');
  await writeFile(join(dir, 'master.json'), '{"listen": {"host": "127.0.0.1", "port": 0}}');
  await (await start()).stop();
  expect(await activeConfig()).toBeDefined();
});

test('a database newer than the program, or that is none, is refused', async () => {
  const database = join(dir, 'state', 'trunkline.sqlite');
  await writeFile(database, 'this is a text, and a long one, but no database at all'.repeat(200));
  expect(await refusal(start())).toContain(database);
  await rm(database);
  await start();
});

test('a folder that is no master’s is told what to do', async () => {
  dir = join(parent, 'nothing');
  expect(await refusal(start())).toContain('master init');
});
