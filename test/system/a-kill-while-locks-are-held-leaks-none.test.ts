import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import type { LockView } from '../../src/master/views/lock.ts';
import type { StatusView } from '../../src/master/views/master.ts';
import type { QueuedView, WhyView } from '../../src/master/views/request.ts';
import { Connection } from '../../src/store/sqlite/connection.ts';
import { Farm, trunkline } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { countFile } from '../support/kill-switch.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { SEED, seeded } from '../support/seed.ts';
import { until } from '../support/until.ts';

/** `TRUNKLINE_KILL_POINTS`: `all` for every commit of a clean round, or how many of them; each round takes a second or two. */
const WANTED = process.env['TRUNKLINE_KILL_POINTS'];
const FEW = 1;
/** A kill can move some writes into commits of their own: beyond the last one of a clean round so many more are tried. */
const BEYOND = 3;
const KILLED_MASTER = resolve(import.meta.dirname, '../../dist/test/support/killed-master-main.js');
const hours = 4 * 3_600_000;

let farm: Farm;
let master: Daemon;

/**
 * Whoever holds a lock writes `+ROUND NAME` into the lock's file when it begins and `-ROUND NAME` when it ends, and goes on once
 * `go-NAME` is there: two that hold it together are seen.
 */
const hold = (lock: string, name: string): string =>
  `echo "+$ROUND ${name}" >> ${farm.dir}/${lock}; sleep 0.2; while [ ! -e ${farm.dir}/go-${name} ]; do sleep 0.05; done; echo "-$ROUND ${name}" >> ${farm.dir}/${lock}`;

const config = (tokens: number): string => `
import { builder, defineMaster, force, hostLock, masterLock, project, sh, step, worker } from 'trunkline';
const board = masterLock('board');
const ram = hostLock('ram', { slots: 2 });
const tokens = masterLock('tokens', { slots: ${tokens} });
const held = (lock) => async (ctx) => {
  const { ok } = await ctx.run('ROUND=' + (ctx.property('round')) + '; ' + lock);
  if (!ok) ctx.fail('it did not hold');
};
export default defineMaster({
  title: 'Locks',
  workers: [worker('v', { host: 'iron', maxBuilds: 3 }), worker('w', { host: 'iron', maxBuilds: 3 })],
  projects: [project('p', { schedulers: [force()], builders: [
    builder('whole', { workers: ['v', 'w'], locks: [board.exclusive()], steps: [step('hold', held(${JSON.stringify(hold('board', 'whole'))}))] }),
    builder('part', { workers: ['v', 'w'], locks: [ram.counting(1)], steps: [
      sh('before', 'true'),
      step('hold', held(${JSON.stringify(hold('board', 'part'))}), { locks: [board.exclusive()] }),
      sh('after', 'true'),
    ] }),
    builder('token', { workers: ['v', 'w'], steps: [step('hold', held(${JSON.stringify(hold('tokens', 'token'))}), { locks: [tokens.counting(1)] })] }),
  ] })],
});
`;

beforeAll(async () => {
  farm = await Farm.create();
  await farm.config(config(1));
  await startMaster();
  await say('workers'); // By which ssh learns the host key.
  await Promise.all(['v', 'w'].map((name) => farm.addWorker(name)));
  await Promise.all(['v', 'w'].map((name) => farm.startWorker(name)));
  await Promise.all(['v', 'w'].map((name) => farm.workerIs(name, 'connected')));
});
afterAll(() => farm.close());

async function startMaster(): Promise<void> {
  master = await farm.startMaster({ KILL_MASTER: join(farm.dir, 'kill') }, { program: KILLED_MASTER });
}

async function say(...words: readonly string[]): Promise<string> {
  const { status, stderr, text } = await farm.ssh(words);
  expect(status, stderr).toBe(0);
  return text;
}

async function ask<T>(...words: readonly string[]): Promise<T> {
  return JSON.parse(await say(...words, '--json')) as T;
}

const force = (builder: string, round = 0): Promise<string> => say('force', `p/${builder}`, '-p', `round=${round}`);
const go = (name: string): Promise<void> => writeFile(join(farm.dir, `go-${name}`), '');

async function lock(name: string): Promise<LockView> {
  const [view] = await ask<readonly LockView[]>('locks', name);
  return view!;
}

const holders = ({ places }: LockView): readonly string[] =>
  places.flatMap((place) => place.holders.map(({ builder, number, step }) => `${builder}#${number} ${step}`));
const waiters = (view: LockView): readonly string[] =>
  view.waiters.map(({ build, request, builder }) => `${builder} ${build === null ? `request ${request}` : build}`);

async function stepRuns(name: string): Promise<void> {
  await until(`a command of ${name} runs`, async () => {
    const build = (await farm.list()).find(
      ({ project, builder, number }) => `${project}/${builder}#${number}` === name,
    );
    return build?.steps.some((step) => step.name === 'hold' && step.logs.length > 0);
  });
}

/** Rows of locks that are left over. */
async function left(): Promise<number> {
  const database = await Connection.open(join(farm.masterDir, 'state', 'trunkline.sqlite'), 'readonly', 30_000);
  try {
    const count = 'SELECT (SELECT count(*) FROM lock_claims) + (SELECT count(*) FROM lock_waits) AS n';
    return (await database.get<{ n: number }>(count))?.n ?? -1;
  } finally {
    await database.close();
  }
}

/** Who held the lock, in order; fails when two held it at once. */
async function held(name: string): Promise<readonly string[]> {
  const lines = (await readFile(join(farm.dir, name), 'utf8')).trim().split('\n');
  const began = lines.filter((_, index) => index % 2 === 0);
  for (const [index, line] of began.entries()) {
    expect([line[0], lines[2 * index + 1]], lines.join(', ')).toEqual(['+', `-${line.slice(1)}`]);
  }
  return began.map((line) => line.slice(1));
}

test('holders and those that wait, in the line and before it, outlive a kill of the master, a stop, and a reload', async () => {
  await force('whole');
  await stepRuns('p/whole#1');
  await force('part');
  await until('its step waits', async () => (await lock('board')).waiters.length === 1);
  await force('part');
  await until('two steps wait', async () => (await lock('board')).waiters.length === 2);
  await force('part');
  await force('whole');
  await force('token');
  await stepRuns('p/token#1');
  await force('token');
  await until('the second one waits', async () => (await lock('tokens')).waiters.length === 1);

  const before = await lock('board');
  expect(before.places[0]).toMatchObject({ slots: 1, used: 1 });
  expect(holders(before)).toEqual(['whole#1 null']);
  expect(before.waiters.map(({ build, builder, step }) => [build === null, builder, step])).toEqual([
    [false, 'part', 'hold'],
    [false, 'part', 'hold'],
    [true, 'whole', null],
  ]);
  expect(await say('locks', 'board')).toMatch(
    new RegExp(
      [
        '^lock board, of the farm',
        '  1 of 1 slot in use',
        '    held by build 1 p/whole#1, all of it, for [0-9.]+ s',
        '  1\\. build 2 p/part#1 step hold, all of it, for [0-9.]+ s: waits for lock board .*',
        '  2\\. build 3 p/part#2 step hold, .*',
        '  3\\. request 5 p/whole, all of it, .*',
        '$',
      ].join('\n'),
    ),
  );
  const queue = await ask<readonly QueuedView[]>('queue');
  expect(queue.map(({ builder, waitsFor }) => [builder, waitsFor])).toEqual([
    ['part', expect.stringMatching(/^waits for lock ram /)],
    ['whole', expect.stringMatching(/^waits for lock board \(exclusive\): held by p\/whole#1 /)],
  ]);
  const [why] = await ask<readonly WhyView[]>('why', 'p/part#2');
  expect(why?.causes).toMatchObject([
    { code: 'locks', text: expect.stringMatching(/^step hold waits for lock board/) },
  ]);

  await master.end('SIGKILL');
  await startMaster();
  expect(holders(await lock('board'))).toEqual(holders(before));
  expect(waiters(await lock('board'))).toEqual(waiters(before));

  // The first in the line: what it held beside goes to the one in the queue, which joins the line behind.
  await say('stop', 'p/part#1', '--reason', 'unneeded');
  expect(await farm.finished('p/part#1')).toMatchObject({ result: 'cancelled', summary: 'unneeded' });
  await until('the next one has its place', async () => waiters(await lock('board'))[1]?.startsWith('part'));
  expect((await lock('tokens')).waiters).toHaveLength(1);
  await farm.config(config(2));
  const reloaded = await trunkline(['master', 'reload', farm.masterDir]);
  expect(reloaded.status, reloaded.stderr).toBe(0);
  await stepRuns('p/token#2');
  expect(holders(await lock('tokens'))).toEqual(['token#1 hold', 'token#2 hold']);

  await Promise.all(['whole', 'part', 'token'].map(go));
  const names = ['whole#1', 'whole#2', 'part#2', 'part#3', 'token#1', 'token#2'];
  const builds = await until('all have ended', async () => {
    const ended = (await farm.list()).filter(({ state }) => state === 'finished');
    const found = names.flatMap((name) => ended.find(({ builder, number }) => `${builder}#${number}` === name) ?? []);
    return found.length === names.length && found;
  });
  expect(builds.map(({ result, summary }) => [result, summary])).toEqual(builds.map(() => ['success', null]));
  expect(await held('board')).toEqual(['0 whole', '0 part', '0 part', '0 whole']);
  expect(await left()).toBe(0);
  const waited = builds[2]!;
  expect(waited.lockWaitMs).toBeGreaterThan(0);
  expect(waited.steps.map(({ name, lockWaitMs }) => [name, lockWaitMs])).toEqual([
    ['before', null],
    ['hold', waited.lockWaitMs],
    ['after', null],
  ]);
});

test(
  `kill -9 of the master before and after the commits of claims, waits, grants and ends of locks (seed ${SEED})`,
  async () => {
    await Promise.all(['whole', 'part', 'token'].map(go));
    await order(1, { n: 1_000_000_000, phase: 'before' });
    await round(1);
    const count = Number(await readFile(countFile(join(farm.dir, 'kill')), 'utf8'));
    let killed = 0;
    const points = choose(count);
    for (const [index, point] of points.entries()) {
      await order(index + 2, point);
      await round(index + 2);
      if (!existsSync(join(farm.dir, 'kill'))) killed += 1;
    }
    await rm(join(farm.dir, 'kill'), { force: true });
    if (WANTED !== undefined) {
      process.stdout.write(
        `${count} commits in a clean round; killed at ${killed} of ${points.length} points, seed ${SEED}\n`,
      );
    }
    expect(killed).toBeGreaterThan(0);
    // Each began once, and none beside another.
    const rounds = Array.from({ length: points.length + 1 }, (_, index) => index + 1);
    const board = (await held('board')).filter((line) => !line.startsWith('0 '));
    expect(board.toSorted()).toEqual(rounds.flatMap((n) => [`${n} part`, `${n} whole`]).toSorted());
  },
  WANTED === undefined ? undefined : hours,
);

type Point = Omit<KillOrder, 'id'>;

/** One of each part of a round, so that a few are spread over it. */
function choose(count: number): readonly Point[] {
  const random = seeded(SEED);
  if (WANTED === 'all') {
    const each = Array.from({ length: count + BEYOND }, (_, index) => index + 1);
    return each.flatMap((n) => (['before', 'after'] as const).map((phase) => ({ n, phase })));
  }
  const some = WANTED === undefined ? FEW : Number(WANTED);
  return Array.from({ length: some }, (_, index) => ({
    n: 1 + Math.floor(((index + random()) / some) * count),
    phase: random() < 0.5 ? 'before' : 'after',
  }));
}

async function order(id: number, point: Point): Promise<void> {
  const file = join(farm.dir, 'kill');
  // Whole at once for a process that looks at it right now.
  await writeFile(`${file}.new`, JSON.stringify({ ...point, id } satisfies KillOrder));
  await rename(`${file}.new`, file);
}

/** A build of each builder, begun together; a master that dies is started again. All end well, and nothing of locks is left. */
async function round(n: number): Promise<void> {
  const builders = ['whole', 'part', 'token'];
  for (const builder of builders) await farm.ssh(['force', `p/${builder}`, '-p', `round=${n}`]);
  const builds = await until(`the builds of round ${n} are finished`, async () => {
    const status = await survived<StatusView>('status');
    if (!status || status.waiting.length + status.running.length > 0) return undefined;
    const all = await survived<readonly BuildView[]>('builds', '-n', '10');
    const own = all?.filter(({ properties }) =>
      properties.some(({ name, value }) => name === 'round' && value === String(n)),
    );
    const missing = builders.filter((name) => own && !own.some(({ builder }) => builder === name));
    // Whoever was cut off looks whether there is a build, and asks again only if there is none.
    for (const builder of missing) await farm.ssh(['force', `p/${builder}`, '-p', `round=${n}`]);
    return missing.length === 0 && own;
  });
  const told = `round ${n}, seed ${SEED}: ${JSON.stringify(builds)}; ${master.stderr()}`;
  expect(builds.map(({ builder, result }) => `${builder} ${result}`).toSorted(), told).toEqual(
    builders.map((name) => `${name} success`).toSorted(),
  );
  expect(await left(), told).toBe(0);
}

/** Undefined when the master was killed: then it is started again. */
async function survived<T>(...words: readonly string[]): Promise<T | undefined> {
  const { text } = await farm.ssh([...words, '--json']);
  if (text !== '') return JSON.parse(text) as T;
  await master.end('SIGKILL');
  await startMaster();
  return undefined;
}
