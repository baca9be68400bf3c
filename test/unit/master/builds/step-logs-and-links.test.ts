import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;
beforeAll(async () => {
  farm = await TryFarm.create(`
workers: [worker('w', { maxBuilds: 4 })],
projects: [project('p', { schedulers: [force()], builders: [
  builder('writes', { workers: ['w'], steps: [
    step('told', async (ctx) => {
      await ctx.log('report', 'one\\nzwölf\\n');
      await ctx.log('empty', '');
      await ctx.log('long', 'x'.repeat(4 * 1024 * 1024));
      await ctx.link('docs', 'https://example.org/old');
      await ctx.link('coverage', 'http://example.org/%41?x=1');
      await ctx.link('docs', 'https://example.org/new');
    }),
    sh('after', 'echo hi'),
  ] }),
] })]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

test('a step writes logs that are read like others, and links that are shown with it', async () => {
  const build = await farm.build('writes');
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'success' });
  expect(build.steps[0]).toMatchObject({
    logs: [
      { name: 'report', length: 11, isComplete: true },
      { name: 'empty', length: 0, isComplete: true },
      { name: 'long', length: 4 * 1024 * 1024, isComplete: true },
    ],
    links: [
      { name: 'docs', url: 'https://example.org/new' },
      { name: 'coverage', url: 'http://example.org/%41?x=1' },
    ],
  });
  expect(build.steps[1]?.links).toEqual([]);
  expect(await farm.log(build.id, 'told', 'report')).toBe('one\nzwölf\n');
  expect((await farm.log(build.id, 'told', 'long')).length).toBe(4 * 1024 * 1024);
});
