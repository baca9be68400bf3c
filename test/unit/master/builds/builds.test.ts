import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;

/** A shell text that notes its start, and goes on once the file `go` is there. */
const gate = (name: string): string =>
  `echo x >> $FARM/${name}.starts; while [ ! -e $FARM/go ]; do sleep 0.02; done; echo ${name} is done`;

const CONFIG = (dir: string): string => `
workers: [worker('w', { maxBuilds: 4 })],
projects: [project('p', { schedulers: [force()], builders: [
  builder('ok', { workers: ['w'], steps: [sh('one', 'echo 1'), sh('two', 'echo 2')] }),
  builder('rules', { workers: ['w'], steps: [
    sh('soft', 'exit 3', { haltOnFailure: false, flunkOnFailure: false, warnOnFailure: true }),
    sh('hard', 'exit 2'), sh('skipped', 'echo never'), sh('last', 'echo cleaned', { alwaysRun: true }),
  ] }),
  builder('none', { workers: ['w'], steps: [sh('missing', ['no-such-program'])] }),
  builder('throws', { workers: ['w'], steps: [step('code', async (ctx) => { await ctx.run('echo hi'); throw new Error('my mistake'); })] }),
  builder('gated', { workers: ['w'], env: { FARM: '${dir}' }, steps: [
    sh('wait', ${JSON.stringify(gate('wait'))}), sh('clean', 'echo cleaned', { alwaysRun: true }), sh('after', 'echo after'),
  ] }),
  builder('tidied', { workers: ['w'], env: { FARM: '${dir}' }, steps: [
    sh('hang', 'echo x >> $FARM/hang.starts; exec sleep 1000'),
    sh('tidy', 'echo x >> $FARM/tidy.starts; while [ ! -e $FARM/go-tidy ]; do sleep 0.02; done; echo tidied', { alwaysRun: true }),
  ] }),
  builder('given-up', { workers: ['w'], env: { FARM: '${dir}' }, steps: [
    sh('hang', 'echo $$ > $FARM/up.new; mv $FARM/up.new $FARM/up; exec sleep 1000'),
    sh('tidy', 'while [ ! -e $FARM/go-up ]; do sleep 0.02; done', { alwaysRun: true }),
  ] }),
  builder('left', { workers: ['w'], env: { FARM: '${dir}' }, steps: [step('careless', async (ctx) => {
    ctx.run(${JSON.stringify(gate('slow'))}).catch(() => undefined);
    while (!existsSync('${dir}/slow.starts')) await new Promise((resolve) => setTimeout(resolve, 5));
  })] }),
  builder('code', { workers: ['w'], env: { FARM: '${dir}' }, steps: [
    sh('before', 'true'),
    step('code', async (ctx) => {
      const seen = [await ctx.now(), await ctx.random(), await ctx.once('effect', () => Math.random())];
      await ctx.setProperty('seen', seen);
      await ctx.parallel({
        a: async (ctx) => { await ctx.run(${JSON.stringify(gate('a'))}, { log: 'a' }); },
        b: async (ctx) => { await ctx.setProperty('had', ctx.property('seen') ?? null); await ctx.run(${JSON.stringify(gate('b'))}, { log: 'b' }); },
      });
      await ctx.setProperty('again', seen);
    }),
    step('files', async (ctx) => { await ctx.download({ text: 'from the master' }, 'note'); await ctx.upload('note', '${dir}/back'); }),
  ] }),
] })]`;

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  await farm.config(CONFIG(farm.dir));
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function started(name: string): Promise<void> {
  await until(`${name} has begun`, () => existsSync(join(farm.dir, `${name}.starts`)));
}

test('steps run in their order, are told as they go, and leave results and logs', async () => {
  const told = await farm.watch(await farm.force('ok'));
  expect(told[0]).toMatchObject({ kind: 'queued', request: { waitsFor: 'starts on w' } });
  const last = told.at(-1);
  expect(last).toMatchObject({
    kind: 'build',
    build: { number: 1, state: 'finished', result: 'success', worker: 'w' },
  });
  expect(await farm.log('p/ok#1', 'two')).toBe('2\n');
  expect(await farm.log('p/ok#1', '0')).toBe('1\n');
});

test('a failure halts, warnings do not, and what always runs runs', async () => {
  const build = await farm.build('rules');
  expect(build.steps.map(({ state, result }) => [state, result])).toEqual([
    ['finished', 'failure'],
    ['finished', 'failure'],
    ['pending', null],
    ['finished', 'success'],
  ]);
  expect(build).toMatchObject({ result: 'failure' });
  expect(build.summary).toContain('exit 3');
});

test('a program that does not exist fails its step, and the log says so', async () => {
  const build = await farm.build('none');
  expect(build.result).toBe('failure');
  expect(await farm.log(build.id, 'missing')).toContain('no-such-program');
});

test('what the code of a step throws is an exception, and a log of the step', async () => {
  const build = await farm.build('throws');
  expect(build.result).toBe('exception');
  expect(build.summary).toContain('my mistake');
  expect(await farm.log(build.id, 'code')).toBe('hi\n');
  expect(await farm.log(build.id, 'code', 'exception')).toContain('trunkline.config.ts');
});

test('a command that the function did not wait for is ended with its step', async () => {
  const build = await farm.build('left');
  expect(build.steps[0]?.logs[0]).toMatchObject({ name: 'stdio', length: 0, isComplete: true });
  expect(await farm.log(build.id, 'careless', 'exception')).toContain('await');
});

test('a stop interrupts the step, lets the cleaning up run, and ends as cancelled', async () => {
  const request = await farm.force('gated');
  await started('wait');
  await farm.operator.stop(ADMIN, 'p/gated#1', 'not needed');
  const last = (await farm.watch(request)).at(-1);
  expect(last).toMatchObject({ build: { result: 'cancelled', summary: 'not needed' } });
  expect((await farm.finished('p/gated#1')).steps.map(({ result }) => result)).toEqual(['cancelled', 'success', null]);
});

test('a stopped build does not wait for a worker that is away, whose process is ended when it is back', async () => {
  const pid = join(farm.dir, 'pid');
  await farm.config(
    CONFIG(farm.dir).replace(
      "sh('one', 'echo 1')",
      () => `sh('one', 'echo $$ > ${pid}.new; mv ${pid}.new ${pid}; exec sleep 1000')`,
    ),
  );
  await farm.operator.reload(ADMIN);
  await farm.force('ok');
  const sleeper = await until('the step runs', async () => existsSync(pid) && (await readFile(pid, 'utf8')).trim());
  await farm.stopWorker('w');
  await farm.operator.stop(ADMIN, 'p/ok#2', 'gone');
  expect(await farm.finished('p/ok#2')).toMatchObject({ result: 'cancelled', summary: 'gone' });
  expect(isAlive(sleeper)).toBe(true);
  await farm.startWorker('w');
  await until('its process is gone', () => !isAlive(sleeper));
  await farm.config(CONFIG(farm.dir));
  await farm.operator.reload(ADMIN);
  expect((await farm.build('ok')).result).toBe('success');
});

test('cleaning up after a stop outlives restarts of the master', async () => {
  const request = await farm.force('tidied');
  await started('hang');
  await farm.operator.stop(ADMIN, 'p/tidied#1', 'not needed');
  await started('tidy');
  await farm.stopMaster();
  await farm.startMaster();
  await farm.connected('w', true);
  await writeFile(join(farm.dir, 'go-tidy'), '');
  await farm.watch(request);
  const build = await farm.finished('p/tidied#1');
  expect(build).toMatchObject({ result: 'cancelled', summary: 'not needed' });
  expect(build.steps.map(({ result }) => result)).toEqual(['cancelled', 'success']);
  expect(await farm.log(build.id, 'tidy')).toBe('tidied\n');
  expect(await readFile(join(farm.dir, 'tidy.starts'), 'utf8')).toBe('x\n');
});

test('what a stopped build gave up ends also when the master was restarted before the worker was back', async () => {
  const request = await farm.force('given-up');
  const pid = join(farm.dir, 'up');
  const sleeper = await until('the step runs', async () => existsSync(pid) && (await readFile(pid, 'utf8')).trim());
  await farm.stopWorker('w');
  await farm.operator.stop(ADMIN, 'p/given-up#1', 'not needed');
  await until('the step is given up', async () => {
    const [step] = (await farm.operator.build(ADMIN, 'p/given-up#1')).steps;
    return step?.state === 'finished';
  });
  await farm.stopMaster();
  await farm.startMaster();
  await farm.startWorker('w');
  await until('its process is gone', () => !isAlive(sleeper));
  await writeFile(join(farm.dir, 'go-up'), '');
  await farm.watch(request);
  const build = await farm.finished('p/given-up#1');
  expect(build.steps.map(({ result }) => result)).toEqual(['cancelled', 'success']);
});

test('a build goes on over restarts of the master: what was done is not done again, and the code sees the same', async () => {
  const request = await farm.force('code');
  await Promise.all([started('a'), started('b')]);
  await farm.stopMaster();
  await farm.startMaster();
  await farm.connected('w', true);
  await farm.stopMaster();
  await writeFile(join(farm.dir, 'go'), '');
  await farm.startMaster();
  await farm.watch(request);
  const build = await farm.finished('p/code#1');
  expect(build, JSON.stringify(build)).toMatchObject({ result: 'success' });
  const value = (name: string): unknown => build.properties.find((property) => property.name === name)?.value;
  expect(value('again')).toEqual(value('seen'));
  expect(value('had')).toEqual(value('seen'));
  expect(await readFile(join(farm.dir, 'a.starts'), 'utf8')).toBe('x\n');
  expect(await readFile(join(farm.dir, 'b.starts'), 'utf8')).toBe('x\n');
  expect(await farm.log(build.id, 'code', 'b')).toBe('b is done\n');
  expect(await readFile(join(farm.dir, 'back'), 'utf8')).toBe('from the master');
});

test('a build whose configuration cannot be loaded any more can be stopped, and leaves nothing running', async () => {
  const pid = join(farm.dir, 'left-pid');
  const needed = join(farm.dir, 'needed');
  await writeFile(needed, '');
  const body = CONFIG(farm.dir)
    .replace("'echo 1'", () => `'echo $$ > ${pid}.new; mv ${pid}.new ${pid}; exec sleep 1000'`)
    .replace('workers:', () => `...(existsSync('${needed}') ? {} : { missing: true }), workers:`);
  await farm.config(body);
  await farm.operator.reload(ADMIN);
  const request = await farm.force('ok');
  const sleeper = await until('the step runs', async () => existsSync(pid) && (await readFile(pid, 'utf8')).trim());
  await farm.stopMaster();
  await rm(needed);
  await farm.config(CONFIG(farm.dir));
  await farm.startMaster();
  await farm.connected('w', true);
  const build = (await farm.operator.builds(ADMIN, { limit: 10 })).find(({ state }) => state === 'running');
  await farm.operator.stop(ADMIN, String(build?.id), 'of no use');
  await farm.watch(request);
  const ended = await farm.finished(String(build?.id));
  expect(ended).toMatchObject({ result: 'cancelled', summary: 'of no use' });
  expect(ended.steps[0]).toMatchObject({ state: 'finished', result: 'cancelled' });
  await until('its process is gone', () => !isAlive(sleeper));
  expect((await farm.build('ok')).result).toBe('success');
});

/** A process that has ended but was not waited for by its parent is no longer alive to us. */
function isAlive(pid: string): boolean {
  try {
    process.kill(Number(pid), 0);
  } catch {
    return false; // There is no such process.
  }
  return true;
}
