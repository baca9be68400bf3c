import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { until } from '../../support/until.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;

beforeAll(async () => {
  farm = await TryFarm.create(`
    workers: [worker('w', { maxBuilds: 4 }), worker('nowhere')],
    projects: [project('p', { schedulers: [force()], builders: [
      builder('real', { workers: ['w'], steps: [sh('s', 'test "$(basename "$PWD")" = real || pwd')] }),
      builder('checked', { workers: ['w'], canStartBuild: () => true, steps: [sh('s', 'false')] }),
      builder('fixed', { workers: ['nowhere'], properties: { virtual_builder_name: 'arm' }, steps: [sh('s', 'true')] }),
      builder('other', { workers: ['w'], steps: [sh('s', 'true')] }),
    ] })]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function force(builder: string, properties: Record<string, unknown>): Promise<number> {
  const wish = { properties: JSON.parse(JSON.stringify(properties)) as Record<string, string> };
  return (await farm.operator.force(ADMIN, { project: 'p', builder }, wish)).id;
}

const listed = async (builder: string) =>
  (await farm.operator.builds(ADMIN, { project: 'p', builder, limit: 9 })).map((one) => `${one.builder}#${one.number}`);

test('builds are shown under the name that their properties say, and are carried out by their builders', async () => {
  const names = { virtual_builder_name: 'arm', virtual_builder_description: '*Arm*', virtual_builder_tags: ['arm', 7] };
  await farm.watch(await force('real', {}));
  await farm.watch(await force('real', { virtual_builder_name: 'arm' }));
  const last = (await farm.watch(await force('checked', names))).at(-1);
  expect(last).toMatchObject({
    kind: 'build',
    build: { builder: 'checked', virtualBuilder: 'arm', result: 'failure' },
  });
  await force('fixed', {});
  expect(await listed('arm')).toEqual(['checked#1', 'real#2']);
  expect(await listed('real')).toEqual(['real#2', 'real#1']);
  const [arm, ...others] = await farm.operator.builders(ADMIN, { project: 'p', tags: ['_virtual_'] });
  expect(others).toEqual([]);
  expect(arm).toMatchObject({
    name: 'arm',
    virtualOf: 'checked',
    description: '*Arm*',
    tags: ['_virtual_', 'arm'],
    workers: ['w'],
    running: 0,
    waiting: 1,
    last: { number: 1, result: 'failure' },
  });
  expect(await farm.operator.builders(ADMIN, { tags: ['arm'] })).toEqual([arm]);
});

test('what is no name of a builder, or the name of one, moves no build away', async () => {
  for (const virtual_builder_name of ['two words', '../up', 7, 'real']) {
    const request = await force('real', { virtual_builder_name });
    expect((await farm.watch(request)).at(-1)).toMatchObject({ build: { virtualBuilder: null, result: 'success' } });
  }
  await farm.watch(await force('real', { virtual_builder_name: 'other' }));
  expect(await listed('other')).toEqual([]);
  const names = (await farm.operator.builders(ADMIN, { tags: [] })).map(({ name }) => name);
  expect(names).toEqual(['real', 'checked', 'fixed', 'other', 'arm']);
});

test('what was shown under a name stays so over a restart of the master', async () => {
  await farm.stopMaster();
  await farm.startMaster();
  await until('the worker is back', async () => (await farm.operator.status(ADMIN)).workers.connected === 1);
  expect(await listed('arm')).toEqual(['checked#1', 'real#2']);
});
