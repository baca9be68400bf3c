import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { masterPaths } from '../../src/master/master-dir.ts';
import { openStore } from '../../src/store/open-store.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { countFile } from '../support/kill-switch.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { SEED, seeded } from '../support/seed.ts';
import { until } from '../support/until.ts';

// TRUNKLINE_KILL_POINTS=all kills at each durable write of a rotation instead of at a few; TRUNKLINE_SEED=N makes another choice.
const isAll = process.env['TRUNKLINE_KILL_POINTS'] === 'all';
const FEW = 2;
vi.setConfig({ testTimeout: isAll ? 900_000 : 240_000, hookTimeout: 120_000 });

const BUILT = resolve(import.meta.dirname, '../../dist/test/support');
const MASTER = join(BUILT, 'killed-master-main.js');
const AT_SYNC = pathToFileURL(join(BUILT, 'killed-at-sync-main.js')).href;
type Victim = 'master' | 'worker';

let farm: Farm;
const daemons = new Map<Victim, Daemon>();
let orders = 0;
const fileOf = (victim: Victim): string => join(farm.dir, `kill-${victim}`);

async function start(victim: Victim): Promise<void> {
  const daemon =
    victim === 'master'
      ? await farm.startMaster({ KILL_MASTER: fileOf('master') }, { program: MASTER })
      : await farm.startWorker('w', { NODE_OPTIONS: `--import=${AT_SYNC}`, KILL_WORKER: fileOf('worker') });
  daemons.set(victim, daemon);
}

beforeAll(async () => {
  farm = await Farm.create();
  await farm.config(`
import { builder, defineMaster, project, sh, worker } from 'trunkline';
const builders = [builder('b', { workers: ['w'], steps: [sh('t', 'true')] })];
export default defineMaster({ title: 'Keys', workers: [worker('w')], projects: [project('p', { builders })] });
`);
  await start('master');
  await farm.addWorker('w');
  await start('worker');
  await farm.workerIs('w', 'connected');
});
afterAll(() => farm.close());

async function order(victim: Victim, at: Omit<KillOrder, 'id'>): Promise<void> {
  await writeFile(`${fileOf(victim)}.new`, JSON.stringify({ ...at, id: (orders += 1) }));
  await rename(`${fileOf(victim)}.new`, fileOf(victim));
}

/** A rotation in which the victim is killed; it is started again. False when the point was not reached. */
async function rotateAndKill(victim: Victim, at: Omit<KillOrder, 'id'>): Promise<boolean> {
  await order(victim, at);
  const child = daemons.get(victim)?.process;
  if (!child) throw new Error('nobody to kill');
  const killed = once(child, 'exit').then(() => true);
  const asked = farm.ssh(['worker', 'rotate', 'w', '--json']);
  const isKilled = await Promise.race([killed, asked.then(() => existsSync(fileOf(victim)) && 'lived')]);
  if (isKilled === 'lived') {
    await rm(fileOf(victim), { force: true });
    return false;
  }
  await killed;
  await start(victim);
  await asked;
  // What was begun goes on by itself: one key, and it lets the worker in.
  await until('the next key is in its place', () => !existsSync(join(farm.workerDir('w'), 'key.next')));
  await farm.workerIs('w', 'connected');
  return true;
}

async function pointsOf(victim: Victim): Promise<number> {
  await rotateAndKill(victim, { n: 1_000_000_000, phase: 'before' });
  return Number(await readFile(countFile(fileOf(victim)), 'utf8'));
}

for (const victim of ['worker', 'master'] as const) {
  test(`a ${victim} that is killed while a key is changed is back with it, and so is the other side`, async () => {
    const points = await pointsOf(victim);
    expect(points).toBeGreaterThan(2);
    const all = Array.from({ length: points }, (_, n) => n + 1).flatMap((n) =>
      (['before', 'after'] as const).map((phase) => ({ n, phase })),
    );
    const random = seeded(SEED);
    const some = isAll ? all : all.toSorted(() => random() - 0.5).slice(0, FEW);
    let killed = 0;
    for (const at of some) if (await rotateAndKill(victim, at)) killed += 1;
    console.log(`${victim}: killed at ${killed} of ${some.length} points, of ${all.length} in all`);
    expect(killed).toBeGreaterThan(0);
  });
}

test('in the end the master lets one key in, which is the one in the folder', async () => {
  await daemons.get('worker')?.end('SIGTERM');
  await start('worker');
  await farm.workerIs('w', 'connected');
  const key = (await farm.workerKey('w')).split(' ')[1];
  await daemons.get('worker')?.end('SIGTERM');
  await daemons.get('master')?.end('SIGTERM');
  const { database, logsDir } = masterPaths(farm.masterDir);
  const store = await openStore({ file: database, archiveDir: logsDir, logger: silentLogger, clock: systemClock });
  try {
    const row = (await store.principals.list()).find(({ name }) => name === 'w');
    expect(row?.keys).toMatchObject([{ blob: key }]);
    expect(row?.keys[0]).not.toHaveProperty('replaces');
  } finally {
    await store.close();
  }
});
