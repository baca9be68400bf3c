import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BuilderView } from '../../../src/master/views/builder.ts';
import { until } from '../../support/until.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;

beforeAll(async () => {
  farm = await TryFarm.create(`
    workers: [worker('w'), worker('nowhere')],
    projects: [project('p', {
      description: 'The **editor**',
      builders: [
        builder('gcc', { tags: ['nightly', 'gcc', 'gcc'], description: '# Stable\\n\\nWith gcc', workers: ['w'], steps: [sh('s', 'false')] }),
        builder('clang', { tags: ['nightly'], workers: ['nowhere'], steps: [sh('s', 'true')] }),
        builder('docs', { workers: ['w'], steps: [sh('s', 'true')] }),
      ],
      schedulers: [force()],
    })]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

const list = (...tags: readonly string[]): Promise<readonly BuilderView[]> =>
  farm.operator.builders(ADMIN, { project: 'p', tags });

test('builders are found by their tags, with what runs, what waits and what ended last', async () => {
  const { id, number, finishedAtMs } = await farm.build('gcc');
  await farm.force('clang');
  await farm.force('clang');
  expect(await list('nightly')).toEqual([
    {
      project: 'p',
      name: 'gcc',
      virtualOf: null,
      description: '# Stable\n\nWith gcc',
      projectDescription: 'The **editor**',
      tags: ['nightly', 'gcc'],
      workers: ['w'],
      running: 0,
      waiting: 0,
      last: { build: id, number, result: 'failure', finishedAtMs },
    },
    expect.objectContaining({ name: 'clang', description: null, waiting: 2, last: null }),
  ]);
  expect((await list('nightly', 'gcc')).map(({ name }) => name)).toEqual(['gcc']);
  expect((await list()).map(({ name }) => name)).toEqual(['gcc', 'clang', 'docs']);
  expect(await list('none')).toEqual([]);
  await expect(farm.operator.builders(ADMIN, { project: 'q', tags: [] })).rejects.toMatchObject({ code: 'not-found' });
});

test('a build that runs is counted', async () => {
  await farm.config(
    `workers: [worker('w')], projects: [project('p', { schedulers: [force()], builders: [builder('docs', { workers: ['w'], steps: [sh('s', 'sleep 600')] })] })]`,
  );
  await farm.operator.reload(ADMIN);
  await farm.force('docs');
  await until('it runs', async () => (await list())[0]?.running === 1);
  const running = (await farm.operator.status(ADMIN)).running[0];
  await farm.operator.stop(ADMIN, String(running?.id), 'the test is over');
});
