import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import type { QueuedView } from '../../src/master/views/request.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { countFile } from '../support/kill-switch.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { SEED, seeded } from '../support/seed.ts';
import { until } from '../support/until.ts';

// kill -9 of the master while one request takes the place of others, and while one is tried again. Some points are tried;
// TRUNKLINE_KILL_POINTS=all tries every commit.
const IS_ALL = process.env['TRUNKLINE_KILL_POINTS'] === 'all';
const hours = 4 * 3_600_000;
const MASTER = resolve(import.meta.dirname, '../../dist/test/support/killed-master-main.js');
const NEVER = 1_000_000_000;
const PAUSE_MS = 200;

let farm: Farm;
let master: Daemon;
let orders = 0;

beforeAll(async () => {
  farm = await Farm.create();
  await mkdir(join(farm.dir, 'starts'));
  await farm.config(`
import { builder, defineMaster, force, git, onChange, project, sh, step, worker } from 'trunkline';
const fails = step('s', async (ctx) => {
  const { ok, summary } = await ctx.run('mktemp -q ${farm.dir}/starts/' + ctx.property('round') + '.XXXXXX; exit 1');
  if (!ok) ctx.fail(summary);
});
export default defineMaster({
  title: 'Places',
  heartbeat: '1s',
  workers: [worker('w', { maxBuilds: 10 }), worker('never')],
  projects: [project('p', {
    source: git('/nowhere'),
    builders: [
      builder('collapsed', { workers: ['never'], collapse: true, steps: [sh('s', 'true')] }),
      builder('superseded', { workers: ['w'], cancelSuperseded: { running: true }, steps: [sh('s', 'sleep 3600', { killAfter: '100ms' })] }),
      builder('again', { workers: ['w'], retry: { failure: 2, pause: '${PAUSE_MS}ms' }, steps: [fails] }),
    ],
    schedulers: [force(), ...${JSON.stringify(rounds().map(({ branch }) => branch))}.map((branch) =>
      onChange({ name: branch, branch, builders: ['collapsed', 'superseded'] }))],
  })],
});
`);
  await startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
});
afterAll(() => farm.close());

const killFile = (): string => join(farm.dir, 'kill-master');

async function startMaster(): Promise<void> {
  master = await farm.startMaster({ KILL_MASTER: killFile() }, { program: MASTER });
}

async function order(n: number, phase: KillOrder['phase']): Promise<void> {
  const wanted: KillOrder = { n, phase, id: (orders += 1) };
  await writeFile(`${killFile()}.new`, JSON.stringify(wanted));
  await rename(`${killFile()}.new`, killFile());
}

/** Starts the master again if it was killed; the order is over. Resolves to whether it was. */
async function revive(): Promise<boolean> {
  const isKilled = !existsSync(killFile());
  await rm(killFile(), { force: true });
  if (!isKilled) return false;
  await master.end('SIGKILL');
  await startMaster();
  return true;
}

/** Undefined when the master was killed before it could answer. */
async function ask<T>(...words: readonly string[]): Promise<T | undefined> {
  const { text, stderr } = await farm.ssh([...words, '--json']);
  if (text !== '') return JSON.parse(text) as T;
  if (existsSync(killFile())) throw new Error(`${words.join(' ')}: ${stderr}`);
  return undefined;
}

interface Round {
  readonly n: number;
  readonly phase: KillOrder['phase'];
  readonly branch: string;
}

/** A change is stored in one commit, and noted in the audit log with it or in the next one. */
function rounds(): readonly Round[] {
  // Before the first commit there is nothing of it yet.
  const points = IS_ALL
    ? [1, 2, 3].flatMap((n) => (['before', 'after'] as const).map((phase) => ({ n, phase })))
    : [{ n: 1, phase: 'after' as const }];
  return points.map((point) => ({ ...point, branch: `${point.phase}-${point.n}` }));
}

test(
  'kill -9 while a change takes the place of another',
  async () => {
    let kills = 0;
    for (const { n, phase, branch } of rounds()) {
      const send = (revision: string) => farm.ssh(['sendchange', 'p', '--branch', branch, '--revision', revision]);
      const running = async (): Promise<readonly BuildView[]> =>
        (await farm.list()).filter((build) => build.branch === branch && build.state === 'running');
      await send('old');
      const [older] = await until('the older change is being built', async () => {
        const builds = await running();
        return builds.length > 0 ? builds : undefined;
      });
      await order(n, phase);
      await send('new');
      if (await revive()) kills += 1;
      // As whoever heard no answer does: nothing comes of it twice.
      await send('new');
      const [newer] = await until('only the newer change is being built', async () => {
        const builds = await running();
        return builds.length === 1 && builds[0]?.revision === 'new' ? builds : undefined;
      });
      const told = `killed ${phase} commit ${n}`;
      const builds = (await farm.list()).filter((build) => build.branch === branch);
      expect(
        builds.map(({ id, result }) => [id, result]),
        told,
      ).toEqual([
        [newer?.id, null],
        [older?.id, 'cancelled'],
      ]);
      expect(builds[1]?.summary, told).toMatch(/^superseded by change \d+ \(new\), request \d+$/);
      const waiting = (await ask<readonly QueuedView[]>('queue'))?.filter((request) => request.branch === branch);
      expect(waiting, told).toMatchObject([{ builder: 'collapsed', revision: 'new', collapsed: [expect.any(Number)] }]);
      expect((await farm.ssh(['stop', `set:${newer?.buildSet}`])).status, told).toBe(0);
      await until('nothing of it is left', async () => (await running()).length === 0);
    }
    expect(kills).toBeGreaterThan(0);
  },
  IS_ALL ? hours : undefined,
);

async function starts(round: string): Promise<number> {
  return (await readdir(join(farm.dir, 'starts'))).filter((name) => name.startsWith(`${round}.`)).length;
}

function isOf({ properties }: BuildView, round: string): boolean {
  return properties.some(({ name, value }) => name === 'round' && value === round);
}

/** All builds of a round once it has failed for good; it is asked for again if the master did not live to hear of it. */
async function ended(round: string): Promise<readonly BuildView[]> {
  return await until(`round ${round} has failed`, async () => {
    if (await revivedIfDead()) return undefined;
    const queue = await ask<readonly QueuedView[]>('queue');
    const builds = (await ask<readonly BuildView[]>('builds'))?.filter((build) => isOf(build, round)).toReversed();
    if (queue?.length === 0 && builds?.length === 0) await force(round);
    return builds?.at(-1)?.result === 'failure' ? builds : undefined;
  });
}

async function revivedIfDead(): Promise<boolean> {
  return master.process.signalCode === 'SIGKILL' && (await revive());
}

const force = (round: string) => farm.ssh(['force', 'p/again', '-p', `round=${round}`]);

/** Each was done once, in its turn, after its pause. */
async function check(builds: readonly BuildView[], round: string, pausesMs: readonly number[]): Promise<void> {
  const told = `round ${round}, seed ${SEED}: ${JSON.stringify(builds)}`;
  expect(
    builds.map(({ result }) => result),
    told,
  ).toEqual([...pausesMs.map(() => 'retry'), 'failure']);
  expect(new Set(builds.map(({ request }) => request)).size, told).toBe(1);
  expect(await starts(round), told).toBe(builds.length);
  for (const [index, pauseMs] of pausesMs.entries()) {
    const [before, after] = [builds[index]!, builds[index + 1]!];
    expect(after.startedAtMs - (before.finishedAtMs ?? 0), told).toBeGreaterThanOrEqual(pauseMs);
  }
}

test(
  'kill -9 while a request is tried again',
  async () => {
    await order(NEVER, 'before');
    await force('count');
    await check(await ended('count'), 'count', [PAUSE_MS, 2 * PAUSE_MS]);
    const count = Number(await readFile(countFile(killFile()), 'utf8'));
    await rm(killFile());
    const random = seeded(SEED);
    const points = IS_ALL ? Array.from({ length: count }, (_, index) => index + 1) : [1 + Math.floor(random() * count)];
    for (const n of points) {
      for (const phase of IS_ALL
        ? (['before', 'after'] as const)
        : [random() < 0.5 ? ('before' as const) : ('after' as const)]) {
        const round = `${phase}-${n}`;
        await order(n, phase);
        await force(round);
        await check(await ended(round), round, [PAUSE_MS, 2 * PAUSE_MS]);
        await rm(killFile(), { force: true });
      }
    }
  },
  IS_ALL ? hours : undefined,
);
