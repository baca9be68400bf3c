import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import { KillFarm } from '../support/kill-farm.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { SEED, seeded } from '../support/seed.ts';

/** `all` for every commit of a clean round, or how many of them. */
const WANTED = process.env['TRUNKLINE_KILL_POINTS'];
const FEW = 3;
/** A kill can move some writes into commits of their own: beyond the last commit of a clean round so many more are tried. */
const BEYOND = 3;

const hours = 4 * 3_600_000;
let kills: KillFarm;
beforeAll(async () => {
  kills = await KillFarm.create(config);
});
afterAll(() => kills.close());

/** A build that waits for two others, one of which waits for a third; one result does not count. */
function config(dir: string): string {
  const start = (name: string): string =>
    `step('s', async (ctx) => { const { ok } = await ctx.run('mktemp -q ${dir}/starts/' + ctx.property('of') + '.${name}.XXXXXX'); if (!ok) ctx.fail('no file'); return ${name === 'minor' ? "'failure'" : 'undefined'}; })`;
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
      builder('last', { workers: ['w'], steps: [${start('last')}] }),
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

function points(count: number): readonly Omit<KillOrder, 'id'>[] {
  const random = seeded(SEED);
  if (WANTED === 'all') {
    const each = Array.from({ length: count + BEYOND }, (_, index) => index + 1);
    return each.flatMap((n) => (['before', 'after'] as const).map((phase) => ({ n, phase })));
  }
  const some = WANTED === undefined ? FEW : Number(WANTED);
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
