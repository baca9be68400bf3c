import { copyFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import { Farm, trunkline } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { markedProcesses } from '../support/marked.ts';
import { until } from '../support/until.ts';

const KILLED_MASTER = resolve(import.meta.dirname, '../../dist/test/support/killed-master-main.js');
/** A worker that is revoked is cut within a second. */
const CUT_MS = 1_000;

let farm: Farm;
let master: Daemon;
const workers = new Map<string, Daemon>();

beforeAll(async () => {
  farm = await Farm.create();
  // Each build's tree ignores TERM and has a part in a session of its own; its first line says where it runs.
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
const stubborn = (on) => builder(on, { workers: [on], env: { MARK: on + '-${farm.dir}' }, steps: [sh('sleep', \`pwd; trap "" TERM
  setsid sh -c 'trap "" TERM; while [ ! -e ${farm.dir}/go ]; do sleep 0.2; done' &
  while [ ! -e ${farm.dir}/go ]; do sleep 0.1; done\`, { killAfter: '1s' })] });
export default defineMaster({
  title: 'Revoke',
  workers: [worker('w'), worker('v')],
  projects: [project('p', { builders: [stubborn('w'), stubborn('v')], schedulers: [force()] })],
});
`);
  await startMaster();
  await farm.addWorker('w');
  await admitByFile('v');
  for (const name of ['w', 'v']) workers.set(name, await farm.startWorker(name));
});
afterAll(() => farm.close());

async function startMaster(): Promise<void> {
  master = await farm.startMaster({ KILL_MASTER: join(farm.dir, 'kill') }, { program: KILLED_MASTER });
}

/** As `farm.addWorker`, but its key is put into the folder. */
async function admitByFile(name: string): Promise<void> {
  const args = ['--name', name, '--master', `127.0.0.1:${farm.port}`, '--host-key', await farm.hostKey()];
  const made = await trunkline(['worker', 'init', farm.workerDir(name), ...args]);
  expect(made.status, made.stderr).toBe(0);
  await copyFile(join(farm.workerDir(name), 'key.pub'), keyFile(name));
}

function keyFile(name: string): string {
  return join(farm.masterDir, 'keys/workers', `${name}.pub`);
}

function marked(worker: string): Promise<readonly string[]> {
  return markedProcesses(`MARK=${worker}-${farm.dir}`);
}

/** Starts a build on the worker, and waits until all of its tree is there and the master has some of its log. */
async function beginBuild(worker: string): Promise<BuildView> {
  expect((await farm.ssh(['force', `p/${worker}`])).status).toBe(0);
  const build = await until('the build prints', async () =>
    (await farm.list()).find(
      ({ builder, state, steps }) => builder === worker && state === 'running' && (steps[0]?.logs[0]?.length ?? 0) > 0,
    ),
  );
  await until('its tree is there', async () => (await marked(worker)).length >= 2);
  return build;
}

/** The build is an exception that says why, its log is closed, and it is the only one of its request. */
async function expectRevoked(build: BuildView): Promise<void> {
  const view = await farm.finished(build.id);
  const summary = `worker revoked: ${build.worker} is not admitted any more`;
  expect(view).toMatchObject({ result: 'exception', summary });
  expect(view.steps[0]).toMatchObject({ state: 'finished', result: 'exception', logs: [{ isComplete: true }] });
  const status = JSON.parse((await farm.ssh(['status', '--json'])).text) as { running: unknown[]; waiting: unknown[] };
  expect([status.running, status.waiting]).toEqual([[], []]);
}

async function state(worker: string): Promise<string | undefined> {
  const list = JSON.parse((await farm.ssh(['workers', '--json'])).text) as { name: string; state: string }[];
  return list.find((one) => one.name === worker)?.state;
}

async function admitAgain(worker: string): Promise<void> {
  const key = `${await farm.workerKey(worker)}\n`;
  expect((await farm.ssh(['worker', 'add', worker], { input: key })).status).toBe(0);
}

/** When the first line of a daemon's log with these words was written. */
function loggedAt(daemon: Daemon, words: RegExp): number {
  const line = daemon
    .stderr()
    .split('\n')
    .find((one) => words.test(one));
  return line === undefined ? NaN : Date.parse(line.split(' ')[0] ?? '');
}

/** A build that is forced now runs to its end, in the seat of the one before. */
async function expectSeatIsFree(worker: string): Promise<void> {
  await writeFile(join(farm.dir, 'go'), '');
  const build = await farm.build(`p/${worker}`);
  await rm(join(farm.dir, 'go'));
  expect(build.result).toBe('success');
  const log = (await farm.log(build.id, 'sleep')).toString();
  expect(log.split('\n')[0]).toBe(join(farm.workerDir(worker), 'work/p', worker));
  await until('its tree is gone', async () => (await marked(worker)).length === 0);
}

test('a worker that is revoked in mid-build is cut, and its processes are killed', async () => {
  const build = await beginBuild('w');
  expect((await farm.ssh(['worker', 'revoke', 'w'])).status).toBe(0);
  await expectRevoked(build);
  await until('its processes are gone', async () => (await marked('w')).length === 0);
  const worker = workers.get('w')!;
  await until('the worker says so', () => /revoked this worker: ending 1 command.*worker add w/.test(worker.stderr()));
  await until('the master says so', () => /a worker is gone/.test(master.stderr()));
  const cut = loggedAt(worker, /disconnected from/) - loggedAt(master, /a worker was revoked/);
  expect(cut).toBeLessThan(CUT_MS);
  // It goes on trying, is not let in, and is given nothing.
  await until('it is refused', () => /"w" with the key SHA256:\S+ is not admitted here/.test(worker.stderr()));
  expect(await state('w')).toBe('disconnected');
  const { id } = JSON.parse((await farm.ssh(['force', 'p/w', '--json'])).text) as { id: number };
  expect((await farm.list()).filter(({ builder }) => builder === 'w').length).toBe(1);
  expect((await farm.ssh(['stop', `request:${id}`])).status).toBe(0);
  await admitAgain('w');
  await until('it is here again', async () => (await state('w')) === 'connected');
  await expectSeatIsFree('w');
});

test('a worker whose key file is taken away in mid-build fares the same', async () => {
  const build = await beginBuild('v');
  await rm(keyFile('v'));
  await expectRevoked(build);
  await until('its processes are gone', async () => (await marked('v')).length === 0);
  await copyFile(join(farm.workerDir('v'), 'key.pub'), keyFile('v'));
  await until('it is here again', async () => (await state('v')) === 'connected');
  await expectSeatIsFree('v');
});

test('one of two keys that is taken away ends what was opened with it, and harms no build', async () => {
  const own = (await farm.workerKey('v')).trim();
  const spare = await farm.makeKey('spare');
  await writeFile(keyFile('v'), `${own}\n${spare}`);
  const build = await beginBuild('v');
  await writeFile(keyFile('v'), spare);
  await until('it is cut', async () => (await state('v')) === 'disconnected');
  expect((await farm.view(build.id)).state).toBe('running');
  await writeFile(keyFile('v'), `${own}\n`);
  await until('it is here again', async () => (await state('v')) === 'connected');
  expect((await farm.view(build.id)).state).toBe('running');
  expect((await marked('v')).length).toBeGreaterThanOrEqual(2);
  expect((await farm.ssh(['stop', String(build.id)])).status).toBe(0);
  await until('its processes are gone', async () => (await marked('v')).length === 0);
});

test('a worker that is away while it is revoked loses its build at once, and what it ran when it is back', async () => {
  const build = await beginBuild('w');
  await workers.get('w')?.end('SIGKILL');
  await until('it is gone', async () => (await state('w')) === 'disconnected');
  expect((await farm.ssh(['worker', 'revoke', 'w'])).status).toBe(0);
  await expectRevoked(build);
  expect((await marked('w')).length).toBeGreaterThanOrEqual(2);
  await admitAgain('w');
  workers.set('w', await farm.startWorker('w'));
  await until('its processes are gone', async () => (await marked('w')).length === 0);
  await expectSeatIsFree('w');
});

test.each([1, 2, 3])(
  'a master that is killed at commit %i of a revocation ends the build when it is back',
  async (n) => {
    const build = await beginBuild('w');
    const order: KillOrder = { id: n, n, phase: 'after' };
    await writeFile(join(farm.dir, 'kill'), JSON.stringify(order));
    // The first commit of it is the tombstone: nobody needs to ask again.
    await farm.ssh(['worker', 'revoke', 'w']);
    await until('the master is killed', () => master.process.signalCode === 'SIGKILL');
    await startMaster();
    await expectRevoked(build);
    await admitAgain('w');
    await until('its processes are gone', async () => (await marked('w')).length === 0);
    await until('it is here again', async () => (await state('w')) === 'connected');
    await expectSeatIsFree('w');
  },
);
