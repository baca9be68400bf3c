import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { BuildView } from '../../src/master/views/build.ts';
import { Farm } from '../support/farm.ts';
import { until } from '../support/until.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';

const BUILDERS = 20;
const WORKERS = ['w1', 'w2', 'w3', 'w4'];
const CHANGES = 25;
const BUILDS = BUILDERS * CHANGES;

/** 500 builds of one step `true`, asked for in one call, to the last one stored. Builds a second; the peer only spawns `true`. */
export async function builds(): Promise<readonly Figure[]> {
  const farm = await Farm.create();
  try {
    await farm.config(`
import { builder, defineMaster, force, git, onChange, project, sh, worker } from 'trunkline';
export default defineMaster({ title: 'Bench', workers: ${JSON.stringify(WORKERS)}.map((name) => worker(name, { maxBuilds: 4 })),
  projects: [project('p', { source: git('/srv/nothing-is-checked-out.git'),
    builders: Array.from({ length: ${BUILDERS} }, (_, i) => builder('b' + i, { workers: ${JSON.stringify(WORKERS)}, steps: [sh('true', ['true'])] })),
    schedulers: [onChange({ branch: 'main' }), force()] })] });
`);
    await farm.startMaster();
    for (const name of WORKERS) {
      await farm.addWorker(name);
      await farm.startWorker(name);
      await farm.workerIs(name, 'connected');
    }
    await push(farm, 'warm', 1);
    const atMs = Date.now();
    const ended = await push(farm, 'main', CHANGES);
    const lastMs = Math.max(...ended.map(({ finishedAtMs }) => finishedAtMs ?? Infinity));
    return [figure('builds of one step: true', (ended.length / (lastMs - atMs)) * 1_000, await bareSpawns(), '/s')];
  } finally {
    await farm.close();
  }
}

/** Sends changes that nobody has seen yet; the builds of the newest ones, at their end. */
async function push(farm: Farm, name: string, changes: number): Promise<readonly BuildView[]> {
  const list = Array.from({ length: changes }, (_, i) => ({
    branch: 'main',
    revision: 'abcdef0',
    key: `${name} ${i}`,
  }));
  const sent = await farm.ssh(['sendchange', 'p', '--json-stdin'], { input: JSON.stringify(list) });
  if (sent.status !== 0) throw new Error(`sendchange failed: ${sent.stderr}`);
  // The last one in the queue: until it ends, nobody asks and so takes time from the builds.
  await farm.build('p/b0');
  return await until('all builds have ended', async () => {
    const { text } = await farm.ssh(['builds', '--json', '-n', String(changes * BUILDERS + 1)]);
    const all = JSON.parse(text) as readonly BuildView[];
    const wrong = all.find(({ result }) => result !== null && result !== 'success');
    if (wrong) throw new Error(`build ${wrong.id} ended as ${wrong.result}`);
    return all.every(({ state }) => state === 'finished') ? all : undefined;
  });
}

/** As many at a time as there are workers. */
async function bareSpawns(): Promise<number> {
  const start = performance.now();
  let left = BUILDS;
  await Promise.all(
    WORKERS.map(async () => {
      while (left-- > 0) await once(spawn('true', { stdio: 'ignore' }), 'exit');
    }),
  );
  return (BUILDS / (performance.now() - start)) * 1_000;
}
