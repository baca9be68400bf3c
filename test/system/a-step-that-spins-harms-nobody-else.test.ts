import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { until } from '../support/until.ts';

let farm: Farm;
let master: Daemon;

beforeAll(async () => {
  farm = await Farm.create();
  await farm.config(`
import { builder, defineMaster, force, project, sh, step, worker } from 'trunkline';
export default defineMaster({
  title: 'Spin',
  workers: [worker('w', { maxBuilds: 4 })],
  projects: [project('p', {
    builders: [
      builder('spins', { workers: ['w'], steps: [
        sh('before', 'echo before'),
        step('twirl', async (ctx) => { await ctx.run('true'); const end = Date.now() + 60_000; while (Date.now() < end); }),
        sh('after', 'true'),
      ] }),
      builder('works', { workers: ['w'], steps: [
        sh('print', "python3 -uc 'import time\\nfor i in range(600): print(i); time.sleep(0.05)'"),
        step('code', async (ctx) => {
          const first = await ctx.run('echo 1', { capture: 10 });
          const second = await ctx.run('echo 2', { capture: 10 });
          await ctx.setProperty('sum', Number(first.output) + Number(second.output));
        }),
      ] }),
    ],
    schedulers: [force()],
  })],
});
`);
  master = await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
});
afterAll(() => farm.close());

test('the spinning step is named and ended, the other build loses nothing', async () => {
  const works = farm.build('p/works');
  await until('the other build prints', async () => ((await farm.list())[0]?.steps[0]?.logs[0]?.length ?? 0) > 0);
  const spins = farm.build('p/spins');
  await until('the step is named', () => /project p, builder spins, step twirl/.test(master.stderr()));
  // While it spins: people are served, and the other build's bytes still come.
  const id = (await farm.list()).find((build) => build.builder === 'works')?.id ?? 0;
  const length = async (): Promise<number> => (await farm.view(id)).steps[0]?.logs[0]?.length ?? 0;
  const before = await length();
  await until('more bytes have come', async () => (await length()) > before);

  const spun = await spins;
  expect(spun).toMatchObject({ result: 'exception' });
  expect(spun.steps.map((step) => step.result)).toEqual(['success', 'exception', null]);
  expect(spun.steps[1]?.summary).toMatch(/spun|yield/);

  const worked = await works;
  expect(worked).toMatchObject({ result: 'success' });
  expect(worked.properties).toContainEqual(expect.objectContaining({ name: 'sum', value: 3 }));
  const expected = Array.from({ length: 600 }, (_, i) => `${i}\n`).join('');
  const log = await farm.log(worked.id, 'print');
  expect(createHash('sha256').update(log).digest('hex')).toBe(createHash('sha256').update(expected).digest('hex'));
  expect(master.stderr()).not.toMatch(/disconnected|no byte for/);
});
