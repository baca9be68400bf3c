import { afterAll, beforeAll, expect, test } from 'vitest';
import { KillFarm } from '../support/kill-farm.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { SEED, seeded } from '../support/seed.ts';

/** `TRUNKLINE_KILL_POINTS=all`: before and after each commit of a build that is checked; otherwise a few by the seed. */
const WANTED = process.env['TRUNKLINE_KILL_POINTS'];
const FEW = 2;

const hours = 4 * 3_600_000;
let kills: KillFarm;
beforeAll(async () => {
  kills = await KillFarm.create(config);
});
afterAll(() => kills.close());

/** Says no to each build first, and yes when it is asked again: its second command is the one that tells. */
function config(dir: string): string {
  return `
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Checks',
  workers: [worker('w')],
  projects: [project('p', { schedulers: [force()], builders: [builder('b', {
    workers: ['w'],
    buildIf: async (request) => request.properties.round !== undefined,
    canStartBuild: { recheck: '100ms', check: async (ctx) => {
      const { round } = ctx.request.properties;
      await ctx.run('mktemp -q ${dir}/starts/' + round + '.check.XXXXXX');
      const { ok } = await ctx.run('mkdir ${dir}/no-' + round);
      return ok ? 'not at once' : true;
    } },
    steps: [sh('s', 'echo built')],
  })] })],
});
`;
}

function choose(count: number): readonly Omit<KillOrder, 'id'>[] {
  const random = seeded(SEED);
  if (WANTED === 'all') {
    const each = Array.from({ length: count }, (_, index) => index + 1);
    return each.flatMap((n) => (['before', 'after'] as const).map((phase) => ({ n, phase })));
  }
  return Array.from({ length: FEW }, (_, index) => ({
    n: 1 + Math.floor(((index + random()) / FEW) * count),
    phase: random() < 0.5 ? 'before' : 'after',
  }));
}

test(
  `a master that is killed while it asks whether a build may start asks no command twice, and starts one build (seed ${SEED})`,
  async () => {
    const count = await kills.count('master');
    const points = choose(count);
    let killed = 0;
    for (const [index, at] of points.entries()) {
      const name = `${at.phase}-${at.n}`;
      const { build, isKilled } = await kills.round(name, 'master', at);
      if (isKilled) killed += 1;
      const told = `round ${name} of ${count} commits, seed ${SEED}: ${JSON.stringify(build)}`;
      // Numbers have no gaps, whatever was given back.
      expect(build, told).toMatchObject({ state: 'finished', result: 'success', retryOf: null, number: index + 2 });
      expect(await kills.builds(name), told).toBe(1);
      // Asked twice, for a no and a yes.
      expect(await kills.starts(name), told).toEqual(['check', 'check']);
    }
    expect(killed).toBeGreaterThan(0);
    if (WANTED !== undefined)
      process.stdout.write(`${count} commits in a clean build; killed ${killed} of ${points.length} times\n`);
  },
  WANTED === undefined ? undefined : hours,
);
