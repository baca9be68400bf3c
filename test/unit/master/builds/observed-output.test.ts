import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BuildView } from '../../../../src/master/views/build.ts';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;

/** A shell text that waits for a file. */
const gate = (name: string): string => `touch $FARM/at-${name}; until [ -e $FARM/go-${name} ]; do sleep 0.02; done`;

const CONFIG = (dir: string): string => `
workers: [worker('w', { maxBuilds: 6 })],
projects: [project('p', { schedulers: [force()], builders: [
  builder('restarted', { workers: ['w'], env: { FARM: '${dir}' }, steps: [step('code', async (ctx) => {
    const seen = [];
    const onLine = (line) => { seen.push(line); };
    await ctx.run('echo a; echo b; ${gate('first')}; echo c', { onLine });
    await ctx.run('printf d; ${gate('second')}; echo e; printf f', { onLine });
    await ctx.setProperty('seen', seen.join());
  })] }),
  builder('limited', { workers: ['w'], steps: [step('code', async (ctx) => {
    const seen = [];
    const { output } = await ctx.run('seq 100000; echo the end', { onLine: (line) => { seen.push(line); }, logLimit: '64KB', capture: 8 });
    await ctx.log('seen', seen.join('\\n') + '\\n');
    await ctx.setProperty('captured', output);
  })] }),
  builder('throws', { workers: ['w'], env: { FARM: '${dir}' }, steps: [step('code', async (ctx) => {
    await ctx.run('trap "touch $FARM/ended; exit 1" TERM; echo boom; while :; do sleep 0.05; done', { onLine: (line) => { throw new Error(line); } });
  })] }),
  builder('slow', { workers: ['w'], env: { FARM: '${dir}' }, steps: [step('code', async (ctx) => {
    await ctx.run('seq 2000000; touch $FARM/printed', { onLine: () => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5); } });
  })] }),
] })]`;

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  await farm.config(CONFIG(farm.dir));
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function there(name: string): Promise<void> {
  const path = await farm.path(name);
  const { existsSync } = await import('node:fs');
  await until(`${name} is there`, () => existsSync(path));
}

async function letGo(name: string): Promise<void> {
  await writeFile(await farm.path(`go-${name}`), '');
}

async function running(builder: string): Promise<BuildView> {
  return await until(`${builder} runs`, async () =>
    (await farm.operator.status(ADMIN)).running.find((build) => build.builder === builder),
  );
}

async function restartMaster(): Promise<void> {
  await farm.stopMaster();
  await farm.startMaster();
}

test('a step that is run again has each line of its commands once, also of those that had ended', async () => {
  await farm.force('restarted');
  await there('at-first');
  const { id } = await running('restarted');
  await restartMaster();
  await letGo('first');
  await there('at-second');
  await restartMaster();
  await letGo('second');
  const build = await farm.finished(String(id));
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'success' });
  expect(build.properties).toContainEqual(expect.objectContaining({ name: 'seen', value: 'a,b,c,de,f' }));
});

test('of a log beyond its limit an observer is told what readers are, and what is captured is the same', async () => {
  const build = await farm.build('limited');
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'success' });
  const log = await farm.log(build.id, 'code', 'stdio');
  expect(log).toContain('[trunkline: the log has reached its limit');
  expect(await farm.log(build.id, 'code', 'seen')).toBe(log);
  expect(build.properties).toContainEqual(expect.objectContaining({ name: 'captured', value: 'the end\n' }));
});

test('an observer that throws ends the step, and with it the command', async () => {
  const build = await farm.build('throws');
  expect(build).toMatchObject({ result: 'exception', steps: [{ result: 'exception', summary: 'Error: boom' }] });
  expect(await farm.log(build.id, 'code', 'exception')).toContain('trunkline.config.ts');
  await there('ended');
});

test('a slow observer holds up neither its command nor a stop of the build', async () => {
  await farm.force('slow');
  const { id } = await running('slow');
  await there('printed');
  const before = await farm.operator.build(ADMIN, String(id));
  expect(before).toMatchObject({ state: 'running' });
  await farm.operator.stop(ADMIN, String(id), 'enough');
  const build = await farm.finished(String(id));
  expect(build).toMatchObject({ result: 'cancelled', steps: [{ logs: [{ isComplete: true }] }] });
});
