import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BuildView } from '../../../../src/master/views/build.ts';
import { until } from '../../../support/until.ts';
import { TryFarm } from '../try-farm.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** Its answer is out, but another process holds its output open for longer than the keeper lives. */
const HELD = 'sleep 60 & echo 42';

let farm: TryFarm;
beforeAll(async () => {
  farm = await TryFarm.create(`
workers: [worker('w', { maxBuilds: 4 })],
projects: [project('p', { schedulers: [force()], builders: [
  builder('asks', { workers: ['w'], steps: [step('code', async (ctx) => {
    const { output } = await ctx.run('${HELD}', { capture: 10 });
    await ctx.setProperty('got', output);
  })] }),
  builder('runs', { workers: ['w'], steps: [sh('code', '${HELD}')] }),
] })]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

/** The keeper of each command that has ended while its output is still being read. */
async function drainingKeepers(): Promise<readonly number[]> {
  const spool = join(farm.dir, 'w', 'spool');
  const names = (await readdir(spool)).filter((name) => existsSync(join(spool, name, 'exit.json')));
  const claims = names.map((name) => readFile(join(spool, name, 'claim.json'), 'utf8'));
  return (await Promise.all(claims)).map((claim) => (JSON.parse(claim) as { keeper: { pid: number } }).keeper.pid);
}

async function buildWhoseKeeperDies(builder: string): Promise<BuildView> {
  const building = farm.build(builder);
  const [pid = 0] = await until('the command has ended, its output not', async () => {
    const keepers = await drainingKeepers();
    return keepers.length > 0 ? keepers : undefined;
  });
  process.kill(pid, 'SIGKILL');
  return await building;
}

test('a step that asked for output which was lost with the keeper is an exception that says how the command ended', async () => {
  const build = await buildWhoseKeeperDies('asks');
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'exception' });
  expect(build.summary).toMatch(/exited with 0, but its output.*incomplete.*keeper process \d+.*was killed/);
  expect(build.properties.map(({ name }) => name)).not.toContain('got');
});

test('a step that only needs the exit status has it, and its log says that its end may be missing', async () => {
  const build = await buildWhoseKeeperDies('runs');
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'success' });
  expect(await farm.log(build.id, 'code')).toMatch(/^42\n\[trunkline: .*may be missing\]\n$/);
});

test('what is captured of an output that others hold open is what the command wrote, without the mark', async () => {
  const build = await farm.build('asks');
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'success' });
  expect(build.properties).toContainEqual(expect.objectContaining({ name: 'got', value: '42\n' }));
  expect(await farm.log(build.id, 'code')).toMatch(/^42\n\[trunkline: .*hold it open.*\]\n$/);
});
