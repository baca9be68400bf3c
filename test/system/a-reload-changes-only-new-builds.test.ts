import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Farm, trunkline } from '../support/farm.ts';
import { until } from '../support/until.ts';

let farm: Farm;

const config = (word: string, more = ''): string => `
import { builder, defineMaster, force, project, sh, step, worker } from 'trunkline';
import { shout } from './words.ts';
export default defineMaster({
  title: 'Reload',
  workers: [worker('w', { maxBuilds: 2 })],
  projects: [project('p', {
    builders: [builder('b', { workers: ['w'], steps: [
      sh('wait', 'while [ ! -e ${farm.dir}/go ]; do sleep 0.05; done'),
      sh('say', 'echo ' + shout('${word}')),
      step('code', async (ctx) => { await ctx.setProperty('word', '${word}'); }),
      ${more}
    ] })],
    schedulers: [force()],
  })],
});
`;

beforeAll(async () => {
  farm = await Farm.create();
  await writeFile(
    join(farm.masterDir, 'words.ts'),
    'export const shout = (word: string): string => word.toUpperCase();\n',
  );
  await farm.config(config('old'));
  await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
});
afterAll(() => farm.close());

test('a running build keeps its configuration, also over a restart of the master; the next one has the new', async () => {
  expect((await farm.ssh(['force', 'p/b'])).status).toBe(0);
  const old = await until('the build runs', async () =>
    (await farm.list()).find((build) => build.steps[0]?.state === 'running'),
  );

  await writeFile(join(farm.masterDir, 'words.ts'), 'export const shout = (word: string): string => word + "!";\n');
  await farm.config(config('new', "sh('added', 'true'),"));
  const reload = await trunkline(['master', 'reload', farm.masterDir]);
  expect([reload.status, reload.stderr]).toEqual([0, '']);
  expect(reload.text).toMatch(/added/);

  await writeFile(join(farm.dir, 'go'), '');
  const done = await farm.finished(old.id);
  expect(done.result).toBe('success');
  expect(done.steps.map((step) => step.name)).toEqual(['wait', 'say', 'code']);
  expect((await farm.log(old.id, 'say')).toString()).toBe('OLD\n');
  expect(done.properties).toContainEqual(expect.objectContaining({ name: 'word', value: 'old' }));

  const next = await farm.build('p/b');
  expect(next.steps.map((step) => step.name)).toEqual(['wait', 'say', 'code', 'added']);
  expect((await farm.log(next.id, 'say')).toString()).toBe('new!\n');
});

test('a configuration that is wrong changes nothing', async () => {
  await farm.config('export default 1 +;');
  const reload = await trunkline(['master', 'reload', farm.masterDir]);
  expect(reload.status).toBe(1);
  expect(reload.stderr).toMatch(/^trunkline: .*trunkline\.config\.ts:1:\d+/);
  expect(reload.stderr.trim().split('\n').length).toBeLessThanOrEqual(4);
  expect((await farm.build('p/b')).result).toBe('success');
});
