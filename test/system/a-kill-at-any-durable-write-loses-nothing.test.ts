import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMMANDS, KillFarm, sha256 } from '../support/kill-farm.ts';
import type { Victim } from '../support/kill-farm.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { SEED, seeded } from '../support/seed.ts';

/** `all` for every point of a clean build, or how many of them. */
const WANTED = process.env['TRUNKLINE_KILL_POINTS'];
const FEW = 3;
/** A kill can move some writes into commits of their own: beyond the last point of a clean build so many more are tried. */
const BEYOND = 3;

const hours = 4 * 3_600_000;
let kills: KillFarm;
beforeAll(async () => {
  kills = await KillFarm.create();
});
afterAll(() => kills.close());

for (const victim of ['master', 'worker', 'keeper'] as const) {
  test(
    `kill -9 of the ${victim} before and after its durable writes (seed ${SEED})`,
    async () => {
      const count = await kills.count(victim);
      const points = choose(victim, count);
      const killed = { before: 0, after: 0 };
      let builds = 1;
      for (const { at, again } of points) {
        const name = `${victim}-${at.phase}-${at.n}${again ? `-${again.phase}-${again.n}` : ''}`;
        const { build, isKilled } = await kills.round(name, victim, at, again);
        if (isKilled) killed[at.phase] += 1;
        builds += 1;
        await check(name, victim, build);
      }
      if (WANTED !== undefined) {
        const writes = victim === 'master' ? 'commits' : 'durable writes';
        process.stdout.write(
          `${victim}: ${count} ${writes} in a clean build; killed before ${killed.before} and after ${killed.after} of them, ${builds} builds, seed ${SEED}\n`,
        );
      }
      expect(killed.before + killed.after).toBeGreaterThan(0);
    },
    WANTED === undefined ? undefined : hours,
  );
}

interface Point {
  readonly at: Omit<KillOrder, 'id'>;
  /** And once more while it starts again. */
  readonly again?: Omit<KillOrder, 'id'>;
}

function choose(victim: Victim, count: number): readonly Point[] {
  const random = seeded(SEED);
  const phase = (): KillOrder['phase'] => (random() < 0.5 ? 'before' : 'after');
  const again = (): Pick<Point, 'again'> =>
    victim === 'master' && random() < 0.25 ? { again: { n: 1 + Math.floor(random() * 8), phase: phase() } } : {};
  if (WANTED === 'all') {
    const each = Array.from({ length: count + BEYOND }, (_, index) => index + 1);
    return each.flatMap((n) => (['before', 'after'] as const).map((phase) => ({ at: { n, phase }, ...again() })));
  }
  const some = WANTED === undefined ? FEW : Number(WANTED);
  // One of each part, so that a few are spread over the build.
  return Array.from({ length: some }, (_, index) => {
    const n = 1 + Math.floor(((index + random()) / some) * count);
    return { at: { n, phase: phase() }, ...again() };
  });
}

async function check(
  name: string,
  victim: Victim,
  build: Awaited<ReturnType<KillFarm['round']>>['build'],
): Promise<void> {
  const told = `round ${name}, seed ${SEED}: ${JSON.stringify(build)}`;
  const starts = await kills.starts(name);
  expect(await kills.builds(name), told).toBe(1);
  expect(build.state, told).toBe('finished');
  expect(starts, told).toEqual([...new Set(starts)]);
  if (victim === 'keeper' && build.result !== 'success') {
    // What a dead keeper ran cannot be known, and is said so.
    expect(build.result, told).toBe('exception');
    expect(build.summary, told).toContain('was killed');
    return;
  }
  expect(build.result, told).toBe('success');
  expect(starts, told).toEqual(COMMANDS);
  const log = await kills.storedLog(build);
  // A keeper that died between the end of a command and the end of its output: then the log says that it may lack its end.
  const isCut = victim === 'keeper' && log.toString('latin1').endsWith('the end of its output may be missing]\n');
  if (!isCut) expect(sha256(log), told).toBe(sha256(await kills.truth(name)));
  expect(await kills.uploaded(name), told).toBe(`of round ${name}`);
  expect(build.properties, told).toContainEqual(expect.objectContaining({ name: 'sum', value: 36 }));
}
