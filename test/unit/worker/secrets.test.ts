import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { until } from '../../support/until.ts';
import type { Ordered } from './scripted-master.ts';
import { sha256Of } from './scripted-master.ts';
import { TryWorker } from './try-worker.ts';

// Real processes on a machine that may be busy: only a hang takes so long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const SECRET = 'correct horse battery staple';
const BUILD = 7;

let it: TryWorker;
beforeEach(async () => {
  it = await TryWorker.create();
  it.master.seat('s1', 'p/b', 1, BUILD);
  await mkdir(it.work('p', 'b'), { recursive: true });
});
afterEach(() => it.close());

function putSecret(command: string, path: string): Ordered {
  const body = Buffer.from(SECRET);
  const spec = { kind: 'put', path, size: body.length, sha256: sha256Of(body), mode: 0o600, secret: true } as const;
  return it.master.order(command, 's1', spec, body);
}

const file = (): string => it.work('p', 'b', 'conf', 'key');
const isGone = (): Promise<unknown> => until('the file is removed', () => !existsSync(file()));

async function made(): Promise<void> {
  expect(await it.master.end(putSecret('u.1.1', 'conf/key'))).toMatchObject({ status: 'done' });
  expect(await readFile(file(), 'utf8')).toBe(SECRET);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
}

test('no chunk shows a secret that is printed a byte at a time, though chunks are lost and the daemon is restarted', async () => {
  it.master.masks = [Buffer.from(SECRET)];
  const bytes = SECRET.split('')
    .map((letter) => `printf '${letter}'; sleep 0.05`)
    .join('; ');
  const script = `mkfifo go; ${bytes}; printf '\\n%s\\n' "$KEY"; read -r _ < go; ${bytes}; echo`;
  const run = it.master.run('u.1.1', 's1', script, { env: { KEY: SECRET } });
  it.master.chunksToLose = 2;
  await it.start();
  await until('half of it is here', () => it.master.log(run).includes('*\n*'));
  await it.restart();
  await it.restart();
  await writeFile(it.work('p', 'b', 'go'), '\n');
  expect(await it.master.end(run)).toMatchObject({ status: 'exited' });
  expect(it.master.log(run).toString()).toBe(`${'*'.repeat(SECRET.length)}\n`.repeat(3));
});

test('the file of a secret is removed when its build is over', async () => {
  await it.start();
  await made();
  it.master.link?.send('session.idle', 's1', { fence: 1 });
  await isGone();
  expect(existsSync(it.work('p', 'b', 'conf'))).toBe(true);
});

test('it stays while its build goes on, also for another master, and goes when another build sits there', async () => {
  await it.start();
  await made();
  // A master that was restarted raises the fence.
  it.master.seat('s1', 'p/b', 2, BUILD);
  expect(await it.master.end(it.master.run('u.1.2', 's1', 'cat conf/key'))).toMatchObject({
    status: 'exited',
    exitCode: 0,
  });
  await it.restart();
  expect(existsSync(file())).toBe(true);
  // The word that the build is over was lost with everybody.
  await it.worker?.stop();
  it.master.seat('s1', 'p/b', 3, BUILD + 1);
  await it.start();
  await isGone();
});

test('an idle that is older than the build that sits there removes nothing', async () => {
  it.master.seat('s1', 'p/b', 5, BUILD);
  await it.start();
  await made();
  it.master.link?.send('session.idle', 's1', { fence: 4 });
  expect(await it.master.end(it.master.run('u.1.2', 's1', 'cat conf/key'))).toMatchObject({ exitCode: 0 });
});

test('it goes with its session, and nothing is removed where its folder leads elsewhere by now', async () => {
  await it.start();
  await made();
  await mkdir(it.work('elsewhere'));
  await writeFile(it.work('elsewhere', 'key'), 'of somebody else');
  await rename(it.work('p', 'b', 'conf'), it.work('p', 'b', 'kept'));
  await symlink(it.work('elsewhere'), it.work('p', 'b', 'conf'));
  expect(await it.master.end(putSecret('u.1.2', 'kept/other'))).toMatchObject({ status: 'done' });
  it.master.link?.send('session.close', 's1', { fence: 1 });
  await until('the session is closed', () => it.master.heardOf('session.closed').length > 0);
  expect(existsSync(it.work('p', 'b', 'kept', 'other'))).toBe(false);
  expect(await readFile(it.work('elsewhere', 'key'), 'utf8')).toBe('of somebody else');
});
