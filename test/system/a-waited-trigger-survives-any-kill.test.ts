import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import type { StatusView } from '../../src/master/views/master.ts';
import { KillFarm } from '../support/kill-farm.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { SEED, seeded } from '../support/seed.ts';
import { until } from '../support/until.ts';

/** `all` for every commit of a clean round, or how many of them. */
const WANTED = process.env['TRUNKLINE_KILL_POINTS'];
const FEW = 2;
const FEW_STOPS = 1;
/** A kill can move some writes into commits of their own: beyond the last commit of a clean round so many more are tried. */
const BEYOND = 3;

const hours = 4 * 3_600_000;
let kills: KillFarm;
beforeAll(async () => {
  kills = await KillFarm.create(config);
});
afterAll(() => kills.close());

/** What is wanted of the last child in a round whose name begins so: that it goes on until it is stopped. */
const STOPPED = 'stopped';

/** A build that waits for two others, one of which waits for a third; one result does not count. */
function config(dir: string): string {
  const start = (name: string, more = ''): string =>
    `step('s', async (ctx) => { const { ok } = await ctx.run('mktemp -q ${dir}/starts/' + ctx.property('of') + '.${name}.XXXXXX${more}'); if (!ok) ctx.fail('no file'); return ${name === 'minor' ? "'failure'" : 'undefined'}; })`;
  return `
import { builder, defineMaster, force, project, step, trigger, triggerable, worker } from 'trunkline';
const of = (ctx) => ({ of: ctx.property('round') ?? ctx.property('of') });
export default defineMaster({
  title: 'Triggers and kills',
  workers: [worker('w', { maxBuilds: 4 })],
  projects: [project('p', {
    schedulers: [force({ builders: ['b'] }), ...['middle', 'minor', 'last'].map((name) => triggerable(name, { builders: [name] }))],
    builders: [
      builder('b', { workers: ['w'], steps: [
        trigger('t', { schedulers: ['middle', 'minor'], unimportant: ['minor'], wait: true, properties: of }),
      ] }),
      builder('middle', { workers: ['w'], steps: [trigger('t', { schedulers: ['last'], wait: true, properties: of })] }),
      builder('minor', { workers: ['w'], steps: [${start('minor')}] }),
      builder('last', { workers: ['w'], steps: [${start('last', ` || exit 1; case ' + ctx.property('of') + ' in ${STOPPED}*) sleep 600; esac`)}] }),
    ],
  })],
});
`;
}

test(
  `a trigger that waits is asked once and goes on, over a kill -9 around each commit (seed ${SEED})`,
  async () => {
    const count = await kills.count('master');
    const killed = { before: 0, after: 0 };
    for (const at of points(count)) {
      const name = `${at.phase}-${at.n}`;
      const { build, isKilled } = await kills.round(name, 'master', at);
      if (isKilled) killed[at.phase] += 1;
      await check(name, build);
    }
    if (WANTED !== undefined) {
      const told = `${count} commits in a clean round; killed before ${killed.before} and after ${killed.after}, seed ${SEED}`;
      process.stdout.write(`${told}\n`);
    }
    expect(killed.before + killed.after).toBeGreaterThan(0);
  },
  WANTED === undefined ? undefined : hours,
);

test(
  `a stop of a build that waits ends its children and theirs, over a kill -9 around each commit (seed ${SEED})`,
  async () => {
    const { commits } = await stopped(`${STOPPED}-count`);
    let killed = 0;
    for (const at of points(commits, FEW_STOPS)) {
      const { isKilled } = await stopped(`${STOPPED}-${at.phase}-${at.n}`, at);
      if (isKilled) killed += 1;
    }
    if (WANTED !== undefined) process.stdout.write(`${commits} commits in a clean stop; killed ${killed}\n`);
    expect(killed).toBeGreaterThan(0);
  },
  WANTED === undefined ? undefined : hours,
);

/** A round that is stopped when the last child runs, in which the master is killed. */
async function stopped(name: string, at?: Omit<KillOrder, 'id'>): ReturnType<KillFarm['killedUntil']> {
  const { farm } = kills;
  const forced = await farm.ssh(['force', 'p/b', '-p', `round=${name}`]);
  expect(forced.status, forced.stderr).toBe(0);
  await until('the last child runs, and the minor one has ended', async () => {
    const rest = (await farm.list()).filter(({ state }) => state === 'running').map(({ builder }) => builder);
    return (await kills.starts(name)).join() === 'last,minor' && rest.toSorted().join() === 'b,last,middle';
  });
  const [build] = (await farm.list()).filter(({ builder }) => builder === 'b');
  const stop = ['stop', String(build!.id), '--reason', 'unneeded'];
  const isOver = async (): Promise<boolean> => {
    const { text } = await farm.ssh(['status', '--json']);
    if (text === '') return false;
    const { running, waiting } = JSON.parse(text) as StatusView;
    return running.length + waiting.length === 0;
  };
  const killed = await kills.killedUntil(stop, isOver, at);
  // Whoever heard no answer says it again; it is refused when all has ended.
  if (killed.isKilled) await farm.ssh(stop);
  await until('all have ended', isOver);
  const told = `round ${name}, seed ${SEED}`;
  const root = await farm.view(build!.id);
  expect([root.result, root.summary], told).toEqual(['cancelled', 'unneeded']);
  expect(children(root), told).toEqual(['middle: cancelled', 'minor: failure']);
  expect(children(await farm.view(root.children[0]?.build ?? 0)), told).toEqual(['last: cancelled']);
  expect(await kills.starts(name), told).toEqual(['last', 'minor']);
  return killed;
}

function points(count: number, few = FEW): readonly Omit<KillOrder, 'id'>[] {
  const random = seeded(SEED);
  if (WANTED === 'all') {
    const each = Array.from({ length: count + BEYOND }, (_, index) => index + 1);
    return each.flatMap((n) => (['before', 'after'] as const).map((phase) => ({ n, phase })));
  }
  const some = WANTED === undefined ? few : Number(WANTED);
  // One of each part, so that a few are spread over the round.
  return Array.from({ length: some }, (_, index) => ({
    n: 1 + Math.floor(((index + random()) / some) * count),
    phase: random() < 0.5 ? 'before' : 'after',
  }));
}

async function check(name: string, build: BuildView): Promise<void> {
  const told = `round ${name}, seed ${SEED}: ${JSON.stringify(build)}`;
  expect(await kills.builds(name), told).toBe(1);
  expect(build.result, told).toBe('success');
  expect(children(build), told).toEqual(['middle: success', 'minor: failure']);
  const middle = await kills.farm.view(build.children[0]?.build ?? 0);
  expect(children(middle), told).toEqual(['last: success']);
  // Each command once: no child was made twice, and none was built twice.
  expect(await kills.starts(name), told).toEqual(['last', 'minor']);
}

function children(build: BuildView): readonly string[] {
  return build.children.map(({ builder, result }) => `${builder}: ${result}`);
}
