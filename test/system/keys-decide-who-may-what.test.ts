import { once } from 'node:events';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Farm, startDaemon } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { run } from '../support/run.ts';
import { until } from '../support/until.ts';

let farm: Farm;
let master: Daemon;

beforeAll(async () => {
  farm = await Farm.create();
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Keys',
  workers: [worker('w')],
  projects: [project('p', { builders: [builder('b', { workers: ['w'], steps: [sh('echo', 'echo hi')] })], schedulers: [force()] })],
});
`);
  await farm.admit('readers', 'rita');
  await farm.admit('developers', 'dave');
  master = await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
});
afterAll(() => farm.close());

test('a role may what it may', async () => {
  const may = async (user: string, ...words: string[]): Promise<number | null> =>
    (await farm.ssh(words, { user })).status;
  expect(await may('rita', 'status')).toBe(0);
  expect(await may('rita', 'force', 'p/b')).toBe(77);
  expect(await may('dave', 'force', 'p/b', '--wait')).toBe(0);
  expect(await may('dave', 'worker', 'revoke', 'w')).toBe(77);
  expect((await farm.ssh(['worker', 'revoke', 'w'], { user: 'rita' })).stderr).toMatch(
    /for operators.*ask an operator/,
  );
});

test('a stranger, and a known key under another name, are refused', async () => {
  await farm.makeKey('nobody');
  expect((await farm.ssh(['status'], { user: 'nobody' })).status).toBe(255);
  const args = farm.sshArgs('rita').map((word) => word.replace('rita@', 'admin@'));
  expect((await run('ssh', [...args, 'status'])).status).toBe(255);
  await until('the log tells of both', () => /nobody/.test(master.stderr()) && /admin/.test(master.stderr()));
});

test('people get no shell, no subsystem, no forward', async () => {
  const args = farm.sshArgs();
  const subsystem = await run('ssh', [...args.slice(0, -1), '-s', ...args.slice(-1), 'trunkline-mux']);
  expect(subsystem.status).not.toBe(0);
  const shell = await run('ssh', [...args.slice(0, -1), '-T', ...args.slice(-1)]);
  expect([shell.status, shell.text + shell.stderr]).toEqual([64, expect.stringContaining('help')]);
  const forward = await run('ssh', [...args.slice(0, -1), '-W', '127.0.0.1:22', ...args.slice(-1)]);
  expect(forward.status).not.toBe(0);
});

test('a removed key closes its connection, and the next login is refused', async () => {
  await farm.admit('readers', 'tina');
  await until('she is let in', async () => (await farm.ssh(['status'], { user: 'tina' })).status === 0);
  expect((await farm.ssh(['force', 'p/b', '--wait'])).status).toBe(0);
  await rm(join(farm.masterDir, 'keys', 'readers', 'tina.pub'));
  await until('she is shut out', async () => (await farm.ssh(['status'], { user: 'tina' })).status === 255);
});

test('a second machine with the name of a worker that is here is refused, and both logs say so', async () => {
  // A cloned machine has the worker's key and name; what tells it apart is the id that its boot gives it.
  const isOfMachine = (source: string): boolean => !/\.sock$|\/spool$|lock/.test(source);
  await cp(farm.workerDir('w'), farm.workerDir('clone'), { recursive: true, filter: isOfMachine });
  const file = join(farm.workerDir('clone'), 'worker.json');
  const settings = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ ...settings, installId: 'another' }));
  const clone = await startDaemon(['worker', 'start', farm.workerDir('clone')]);
  try {
    await until('it is told', () => /duplicate/.test(clone.stderr()));
    await until('the master says so', () => /duplicate/.test(master.stderr()));
    expect((await farm.build('p/b')).result).toBe('success');
  } finally {
    await clone.end();
  }
});

test('a revoked worker is cut at once, and stays out although its key file lies there', async () => {
  expect((await farm.ssh(['worker', 'revoke', 'w'])).status).toBe(0);
  const state = async (): Promise<string | undefined> => {
    const list = JSON.parse((await farm.ssh(['workers', '--json'])).text) as { name: string; state: string }[];
    return list.find((one) => one.name === 'w')?.state;
  };
  await until('it is gone', async () => (await state()) === 'disconnected');
  const again = await startDaemon(['worker', 'start', farm.workerDir('w')]).catch((error: unknown) => String(error));
  // The first daemon still runs: the folder is taken, which is told in one line.
  expect(again).toMatch(/already|runs/);
});

test('the master lives through strangers that say nothing, or rubbish', async () => {
  const sockets = Array.from({ length: 20 }, () => connect(farm.port, '127.0.0.1'));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  for (const socket of sockets.slice(10)) socket.end('GET / HTTP/1.1\r\n\r\n');
  expect((await farm.ssh(['status'])).status).toBe(0);
  for (const socket of sockets) socket.destroy();
});
