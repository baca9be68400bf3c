import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import type { WorkerView } from '../../src/master/views/worker.ts';
import { Farm, trunkline } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { faultStream } from '../support/fault-stream.ts';
import type { FaultStream } from '../support/fault-stream.ts';
import { Lives, isAlive, overlaps } from '../support/lives.ts';
import { until } from '../support/until.ts';

/** `UID.STEP.KEY`. */
const COMMAND = /^[0-9A-Z]{26}\.\d+\./;

let farm: Farm;
type Name = 'a' | 'b';
const workers = new Map<Name, Daemon>();
const lines = new Map<Name, FaultStream>();
/** Of a test that failed: what it left behind must not wait for ever. */
let rounds: Lives[] = [];
let made = 0;

beforeAll(async () => {
  farm = await Farm.create();
  // A worker ends what it runs 6 s after the last word of its master; the master gives it up 9 s after its last word.
  await farm.config(`
import { builder, defineMaster, force, project, step, worker } from 'trunkline';
const live = step('live', async (ctx) => {
  const { ok, summary } = await ctx.run(String(ctx.property('live')), { killAfter: '300ms' });
  if (!ok) ctx.fail(summary);
});
export default defineMaster({
  title: 'Lost',
  heartbeat: '1s',
  workers: [worker('a', { maxBuilds: 2 }), worker('b', { maxBuilds: 2 })],
  projects: [project('p', {
    builders: [
      builder('retried', { workers: ['a', 'b'], whenWorkerLost: { retryAfter: '9s' }, steps: [live] }),
      builder('waits', { workers: ['a', 'b'], whenWorkerLost: 'wait', steps: [live] }),
    ],
    schedulers: [force()],
  })],
});
`);
  await farm.startMaster();
  for (const name of ['a', 'b'] as const) {
    lines.set(name, await faultStream(farm.port, '127.0.0.2'));
    await farm.addWorker(name, line(name).port);
    workers.set(name, await farm.startWorker(name));
  }
});
afterEach(async () => {
  for (const lives of rounds) await lives.go();
  rounds = [];
});
afterAll(async () => {
  for (const one of workers.values()) one.process.kill('SIGCONT');
  for (const one of lines.values()) await one.close();
  await farm.close();
});

function daemon(worker: Name): Daemon {
  return workers.get(worker)!;
}

function line(worker: Name): FaultStream {
  return lines.get(worker)!;
}

/** Commands of which the worker's spool holds something. */
async function commandsOf(worker: Name): Promise<readonly string[]> {
  return (await readdir(join(farm.workerDir(worker), 'spool'))).filter((name) => COMMAND.test(name));
}

async function newLives(name: string): Promise<Lives> {
  const lives = await Lives.make(join(farm.dir, 'lives', `${name}-${made++}`));
  rounds.push(lives);
  return lives;
}

/** Asks for a build whose command lives until it may go; resolves to its request. */
async function begin(builder: string, lives: Lives): Promise<number> {
  const forced = await farm.ssh(['force', `p/${builder}`, '--json', '-p', `'live=${lives.command}'`]);
  return (JSON.parse(forced.text) as { id: number }).id;
}

/** All builds of a request, oldest first. */
async function buildsOf(request: number): Promise<readonly BuildView[]> {
  return (await farm.list()).filter((build) => build.request === request).toReversed();
}

async function ended(request: number): Promise<readonly BuildView[]> {
  return await until(`request ${request} has ended`, async () => {
    const builds = await buildsOf(request);
    return builds.every((build) => build.state === 'finished') && builds.at(-1)?.result !== 'retry'
      ? builds
      : undefined;
  });
}

async function areHere(...names: readonly string[]): Promise<void> {
  await until(`${names.join()} are here`, async () => {
    const views = JSON.parse((await farm.ssh(['workers', '--json'])).text) as readonly WorkerView[];
    return names.every((name) => views.find((view) => view.name === name)?.state === 'connected');
  });
}

async function areGone(pids: readonly number[]): Promise<void> {
  await until('its processes are gone', () => !pids.some(isAlive));
}

/** Begins a build, and waits until its command lives. */
async function beginLiving(
  builder: string,
): Promise<{ lives: Lives; request: number; worker: Name; pids: readonly number[] }> {
  const lives = await newLives(builder);
  const request = await begin(builder, lives);
  const first = await until('it runs', async () => (await buildsOf(request))[0]);
  return { lives, request, worker: first.worker as Name, pids: await lives.bornOn(first.worker) };
}

/** The worker of a build is lost by `lose`, and found again by `find` when the build was done again on the other one. */
async function loseAndFind(lose: (worker: Name) => unknown, find: (worker: Name) => unknown): Promise<void> {
  await areHere('a', 'b');
  const { lives, request, worker, pids } = await beginLiving('retried');
  const other = worker === 'a' ? 'b' : 'a';
  await lose(worker);
  await until('its absence is told', async () => (await farm.ssh(['status'])).text.includes('is retried elsewhere in'));
  await lives.bornOn(other);
  expect(pids.filter(isAlive)).toEqual([]);
  await lives.go();
  const [lost, again, ...more] = await ended(request);
  expect(lost).toMatchObject({ worker, result: 'retry', summary: `worker ${worker} was lost: nothing heard for 9s` });
  expect(again).toMatchObject({ worker: other, result: 'success', retryOf: lost?.id });
  expect(more).toEqual([]);
  expect(overlaps(await lives.all())).toEqual([]);
  const born = (await lives.all()).length;
  await find(worker);
  await areHere('a', 'b');
  // What it held of the build is forgotten, and nothing of it begins anew.
  await until('its spool is empty', async () => (await commandsOf(worker)).length === 0);
  expect(await lives.all()).toHaveLength(born);
}

test('a daemon that stands still', async () => {
  await loseAndFind(
    (worker) => daemon(worker).process.kill('SIGSTOP'),
    (worker) => daemon(worker).process.kill('SIGCONT'),
  );
});

test('a line that is silent, with sockets that stay open', async () => {
  await loseAndFind(
    (worker) => line(worker).stall(),
    (worker) => line(worker).flow(),
  );
});

test('kill -9 of the daemon; what may wait for it goes on as if nothing had been', async () => {
  await areHere('a', 'b');
  const waiting = [await beginLiving('waits'), await beginLiving('waits')];
  expect(waiting.map(({ worker }) => worker).toSorted()).toEqual(['a', 'b']);
  const { lives, request, worker, pids } = await beginLiving('retried');
  const other = worker === 'a' ? 'b' : 'a';
  await daemon(worker).end('SIGKILL');
  await lives.bornOn(other);
  expect(pids.filter(isAlive)).toEqual([]);
  for (const one of waiting) expect(one.pids.every(isAlive)).toBe(true);
  workers.set(worker, await farm.startWorker(worker));
  await areHere('a', 'b');
  for (const one of [{ lives }, ...waiting]) await one.lives.go();
  expect(await ended(request)).toMatchObject([{ result: 'retry' }, { worker: other, result: 'success' }]);
  expect(overlaps(await lives.all())).toEqual([]);
  for (const one of waiting) {
    expect(await ended(one.request)).toMatchObject([{ worker: one.worker, result: 'success' }]);
    expect(await one.lives.all()).toHaveLength(one.pids.length);
  }
});

test('a master that is stopped for longer than the grace: its builds end in time, and are done again', async () => {
  await areHere('a', 'b');
  const { lives, request, pids } = await beginLiving('retried');
  expect((await trunkline(['master', 'stop', farm.masterDir])).status).toBe(0);
  await areGone(pids);
  await farm.startMaster();
  await until('it is done again', async () => (await lives.all()).length >= 2 * pids.length);
  await lives.go();
  expect(await ended(request)).toMatchObject([{ result: 'retry' }, { result: 'success' }]);
  expect(overlaps(await lives.all())).toEqual([]);
});

test('a master that said how long it will be away finds its builds alive, but where nobody heard it', async () => {
  await areHere('a', 'b');
  const one = await beginLiving('retried');
  const two = await beginLiving('retried');
  expect(one.worker).not.toBe(two.worker);
  daemon(two.worker).process.kill('SIGSTOP');
  const stopped = await trunkline(['master', 'stop', farm.masterDir, '--for', '10m']);
  expect(stopped).toMatchObject({ status: 0 });
  expect(stopped.stderr).toContain(`${two.worker} did not say`);
  expect(stopped.stderr).not.toContain(`${one.worker} did not say`);
  // By then the time of the others is over, too.
  await areGone(two.pids);
  await farm.startMaster();
  await areHere(one.worker);
  expect(one.pids.every(isAlive)).toBe(true);
  daemon(two.worker).process.kill('SIGCONT');
  await areHere('a', 'b');
  await until('it is done again', async () => (await two.lives.all()).length >= 2 * two.pids.length);
  for (const { lives } of [one, two]) await lives.go();
  expect(await ended(one.request)).toMatchObject([{ worker: one.worker, result: 'success' }]);
  expect(await ended(two.request)).toMatchObject([{ result: 'retry' }, { result: 'success' }]);
  expect(await one.lives.all()).toHaveLength(one.pids.length);
  for (const { lives } of [one, two]) expect(overlaps(await lives.all())).toEqual([]);
});
