import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { MAX_BUILDS_OF_A_REQUEST } from '../../../../src/model/build-request.ts';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;

const CONFIG = (dir: string): string => `
workers: [worker('w')],
projects: [project('p', { schedulers: [force()], builders: [
  builder('twice', { workers: ['w'], steps: [
    step('code', async (ctx) => ((await ctx.run('echo x >> ${dir}/starts; test $(wc -l < ${dir}/starts) = 3')).ok ? 'success' : { result: 'retry', summary: 'not yet' })),
    sh('after', 'echo x >> ${dir}/after'),
  ] }),
  builder('never', { workers: ['w'], steps: [step('code', () => 'retry')] }),
  builder('stopped', { workers: ['w'], steps: [step('code', async (ctx) => { await ctx.run('touch ${dir}/up; exec sleep 1000'); return 'retry'; })] }),
] })]`;

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  await farm.config(CONFIG(farm.dir));
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

test('a build that is to be retried is, and who waits for its request follows it to its last build', async () => {
  const request = await farm.force('twice');
  const told = await farm.watch(request);
  const builds = told.flatMap((one) => (one.kind === 'build' && one.build.state === 'finished' ? [one.build] : []));
  expect(builds.map(({ number, result, summary }) => [number, result, summary])).toEqual([
    [1, 'retry', 'code: not yet'],
    [2, 'retry', 'code: not yet'],
    [3, 'success', null],
  ]);
  const [one, two, three] = builds.map(({ id }) => id);
  expect(told.at(-1)).toMatchObject({ build: { id: three, request, retryOf: two, retriedAs: null } });
  expect(await farm.operator.build(ADMIN, String(two))).toMatchObject({ request, retryOf: one, retriedAs: three });
  await expect(farm.operator.stop(ADMIN, String(one), 'x')).rejects.toMatchObject({ code: 'conflict' });
  // A later step is none of a build that is done again.
  expect(await readFile(join(farm.dir, 'after'), 'utf8')).toBe('x\n');
});

test('a build that never comes through is not retried for ever', async () => {
  const told = await farm.watch(await farm.force('never'));
  const ids = new Set(told.flatMap((one) => (one.kind === 'build' ? [one.build.id] : [])));
  expect(ids.size).toBe(MAX_BUILDS_OF_A_REQUEST);
  expect(told.at(-1)).toMatchObject({ kind: 'build', build: { result: 'retry' } });
  expect((await farm.operator.status(ADMIN)).waiting).toEqual([]);
});

test('a build that is stopped is not retried, whatever its step wants', async () => {
  const request = await farm.force('stopped');
  await until('it runs', () => existsSync(join(farm.dir, 'up')));
  await farm.operator.stop(ADMIN, 'p/stopped#1', 'enough');
  expect((await farm.watch(request)).at(-1)).toMatchObject({ build: { number: 1, result: 'cancelled' } });
  expect(await farm.operator.status(ADMIN)).toMatchObject({ running: [], waiting: [] });
});
