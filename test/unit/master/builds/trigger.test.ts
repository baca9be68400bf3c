import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { BuildView } from '../../../../src/master/views/build.ts';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;

/** A step that triggers whatever its build's property `what` says. */
const DYNAMIC = `step('t', async (ctx) => {
  const { result, summary } = await ctx.trigger(ctx.property('what'), { wait: true });
  return { result, summary };
})`;

const CONFIG = (dir: string): string => `
workers: [worker('w', { maxBuilds: 10 }), worker('never')],
projects: [
  project('p', {
    schedulers: [
      force(), triggerable('good', { builders: ['good'], properties: { from: 'scheduler', mode: 'slow' } }),
      triggerable('bad', { builders: ['bad'] }), triggerable('both', { builders: ['good', 'bad'] }),
      triggerable('slow', { builders: ['slow'] }), triggerable('stuck', { builders: ['stuck'] }),
      triggerable('middle', { builders: ['middle'] }), triggerable('loop', { builders: ['loop'] }),
      triggerable('locked', { builders: ['locked'] }),
    ],
    builders: [
      builder('good', { workers: ['w'], steps: [sh('s', 'true')] }),
      builder('bad', { workers: ['w'], steps: [sh('s', 'exit 1')] }),
      builder('slow', { workers: ['w'], steps: [sh('s', 'touch ${dir}/slow.started; while [ ! -e ${dir}/go ]; do sleep 0.02; done')] }),
      builder('stuck', { workers: ['never'], steps: [sh('s', 'true')] }),
      builder('free', { workers: ['w'], steps: [trigger('t', { schedulers: ['bad', 'stuck'] })] }),
      builder('minor', { workers: ['w'], steps: [
        trigger('t', { schedulers: ['good', 'bad'], unimportant: ['bad'], wait: true, properties: { mode: 'fast' } }),
      ] }),
      builder('major', { workers: ['w'], steps: [
        trigger('t', { schedulers: ['both'], wait: true, properties: async (ctx) => ({ parent: ctx.build.id }) }),
      ] }),
      builder('waits', { workers: ['w'], steps: [trigger('t', { schedulers: ['slow', 'stuck', 'other/held'], wait: true })] }),
      builder('middle', { workers: ['w'], steps: [trigger('t', { schedulers: ['slow'], wait: true })] }),
      builder('top', { workers: ['w'], steps: [trigger('t', { schedulers: ['middle'], wait: true })] }),
      builder('loop', { workers: ['w'], steps: [${DYNAMIC}] }),
      builder('holder', { workers: ['w'], locks: [masterLock('vpn').exclusive()], steps: [
        sh('first', 'touch ${dir}/holder.started; while [ ! -e ${dir}/go ]; do sleep 0.02; done'),
        trigger('t', { schedulers: ['locked'], wait: true }),
      ] }),
      builder('stranger', { workers: ['w'], locks: [masterLock('vpn').exclusive()], steps: [sh('s', 'true')] }),
      builder('locked', { workers: ['w'], locks: [masterLock('vpn').exclusive()], steps: [sh('s', 'true')] }),
      builder('parallel', { workers: ['w'], steps: [step('t', async (ctx) => {
        const { a, b } = await ctx.parallel({
          a: (ctx) => ctx.trigger('good', { wait: true }),
          b: (ctx) => ctx.trigger(['good', 'other/far'], { wait: true }),
        });
        await ctx.setProperty('seen', [...a.requests, ...b.requests].map((one) => [one.scheduler, one.project, one.result, typeof one.build]));
      })] }),
    ],
  }),
  project('other', { schedulers: [triggerable('far', { builders: ['far'] }), triggerable('held', { builders: ['held'] })], builders: [
    builder('held', { workers: ['never'], steps: [sh('s', 'true')] }),
    builder('far', { workers: ['w'], steps: [sh('s', 'true')] }),
  ], access: { read: ['ann'] } }),
]`;

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  await farm.config(CONFIG(farm.dir));
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());
afterEach(async () => {
  await rm(join(farm.dir, 'go'), { force: true });
  await rm(join(farm.dir, 'slow.started'), { force: true });
});

async function ofChild(build: BuildView, builder: string): Promise<BuildView> {
  const child = build.children.find((one) => one.builder === builder);
  return await farm.operator.build(ADMIN, String(child?.build));
}

async function ofLoop(what: string): Promise<BuildView> {
  const { id } = await farm.operator.force(ADMIN, { project: 'p', builder: 'loop' }, { properties: { what } });
  const last = (await farm.watch(id)).at(-1);
  if (last?.kind !== 'build') throw new Error('no build of loop');
  return last.build;
}

async function slowRuns(): Promise<void> {
  await until('the slow child runs', () => existsSync(join(farm.dir, 'slow.started')));
}

function children(build: BuildView): unknown {
  return build.children.map(({ builder, state, result }) => `${builder}: ${result ?? state}`);
}

test('a step that waits ends as the worst of what counts, and both sides name each other', async () => {
  const minor = await farm.build('minor');
  expect(minor).toMatchObject({ result: 'success', parent: null });
  expect(children(minor)).toEqual(['good: success', 'bad: failure']);
  const good = await ofChild(minor, 'good');
  expect(good).toMatchObject({
    owner: minor.owner,
    reason: `triggered by build ${minor.id} of p/minor`,
    parent: { build: minor.id, project: 'p', builder: 'minor', number: minor.number, waits: true },
  });
  expect(good.properties).toContainEqual({ name: 'mode', value: 'fast', source: 'trigger' });
  expect(good.properties).toContainEqual({ name: 'from', value: 'scheduler', source: 'scheduler' });

  const major = await farm.build('major');
  expect(major.result).toBe('failure');
  expect(major.steps[0]?.summary).toBe(`build ${(await ofChild(major, 'bad')).id} of p/bad: failure`);
  const property = { name: 'parent', value: major.id, source: 'trigger' };
  expect((await ofChild(major, 'good')).properties).toContainEqual(property);
});

test('a step that does not wait asks, and ends; what it asked for goes on without it', async () => {
  const free = await farm.build('free');
  expect(free.result).toBe('success');
  expect(free.children.map(({ isWaitedFor }) => isWaitedFor)).toEqual([false, false]);
  const stuck = free.children[1]!;
  await until(
    'the other has ended',
    async () => (await farm.operator.build(ADMIN, String(free.id))).children[0]?.result === 'failure',
  );
  expect((await farm.operator.queue(ADMIN)).map(({ id }) => id)).toContain(stuck.request);
  await farm.operator.stop(ADMIN, `request:${stuck.request}`, 'tidy');
});

test('code triggers in branches that run side by side, also what another project has', async () => {
  const build = await farm.build('parallel');
  expect(build.properties.find(({ name }) => name === 'seen')?.value).toEqual([
    ['good', 'p', 'success', 'number'],
    ['good', 'p', 'success', 'number'],
    ['other/far', 'other', 'success', 'number'],
  ]);
});

test('a parent that is stopped ends what it waits for, down to the last, with the reason', async () => {
  const request = await farm.force('waits');
  await slowRuns();
  const build = await until('all were triggered', async () =>
    (await farm.operator.status(ADMIN)).running.find((one) => one.builder === 'waits' && one.children.length === 3),
  );
  const [why] = await farm.operator.why(ADMIN, String(build.id));
  const texts = why!.causes.map(({ text }) => text);
  expect(texts).toContainEqual(expect.stringMatching(/^it waits for build \d+ of p\/slow, which runs$/));
  expect(texts).toContainEqual(
    expect.stringMatching(/^it waits for request \d+ of p\/stuck, which waits: no worker of stuck is connected: /),
  );
  await farm.operator.stop(ADMIN, String(build.id), 'not needed');
  expect((await farm.watch(request)).at(-1)).toMatchObject({ build: { result: 'cancelled', summary: 'not needed' } });
  const after = await until('its children have ended', async () => {
    const now = await farm.operator.build(ADMIN, String(build.id));
    return now.children.every(({ state }) => state === 'ended') && now;
  });
  expect(children(after)).toEqual(['slow: cancelled', 'stuck: cancelled', 'held: cancelled']);
  expect((await ofChild(after, 'slow')).summary).toBe(
    `build ${build.id}, which waited for it, was stopped: not needed`,
  );
});

test('three levels end together when the first is stopped', async () => {
  const request = await farm.force('top');
  await slowRuns();
  const top = await until('it runs', async () =>
    (await farm.operator.status(ADMIN)).running.find(({ builder }) => builder === 'top'),
  );
  await farm.operator.stop(ADMIN, String(top.id), 'enough');
  await farm.watch(request);
  await until('nothing runs any more', async () => (await farm.operator.status(ADMIN)).running.length === 0);
  const middle = await ofChild(await farm.operator.build(ADMIN, String(top.id)), 'middle');
  expect(middle.result).toBe('cancelled');
  expect((await ofChild(middle, 'slow')).result).toBe('cancelled');
});

test('a master that stops does not wait for children, and the wait goes on in the next one', async () => {
  await farm.force('top');
  await slowRuns();
  const top = await until('it runs', async () =>
    (await farm.operator.status(ADMIN)).running.find(({ builder }) => builder === 'top'),
  );
  await farm.stopMaster();
  await farm.startMaster();
  await writeFile(join(farm.dir, 'go'), '');
  const ended = await farm.finished(String(top.id));
  expect(ended.result).toBe('success');
  expect(children(ended)).toEqual(['middle: success']);
});

test('what would go in a circle, or is not there, is an exception that says so', async () => {
  const circle = await ofLoop('loop');
  expect(circle).toMatchObject({ result: 'exception', children: [] });
  expect(circle.steps[0]?.summary).toBe('nothing is triggered: it would go in a circle: p/loop → p/loop');
  const missing = await ofLoop('force');
  expect(missing.steps[0]?.summary).toBe(
    'nothing is triggered: project p has no triggerable scheduler force; it has good, bad, both, slow, stuck, middle, loop, locked',
  );
  const nowhere = await ofLoop('gone/x');
  expect(nowhere.steps[0]?.summary).toContain('there is no project gone');
});

test('who may not read a child is told nothing of it', async () => {
  const request = await farm.force('waits');
  await slowRuns();
  const build = await until('all were triggered', async () =>
    (await farm.operator.status(ADMIN)).running.find((one) => one.builder === 'waits' && one.children.length === 3),
  );
  const bob = { name: 'bob', role: 'reader' } as const;
  const seen = await farm.operator.build(bob, String(build.id));
  expect(seen.children.map(({ project }) => project)).toEqual(['p', 'p']);
  const texts = async (): Promise<string> => JSON.stringify(await farm.operator.why(bob, String(build.id)));
  expect(await texts()).toContain('it waits for a build you may not see');
  expect(await texts()).not.toContain('of other/held');
  expect(JSON.stringify(await farm.operator.why(ADMIN, String(build.id)))).toContain('of other/held');
  await farm.operator.stop(ADMIN, String(build.id), 'tidy');
  await farm.watch(request);
});

test('a child has the exclusive lock that its parent holds, also when somebody waits for it already', async () => {
  const holder = await farm.force('holder');
  await until('the holder runs', () => existsSync(join(farm.dir, 'holder.started')));
  const stranger = await farm.force('stranger');
  const [why] = await farm.operator.why(ADMIN, `request:${stranger}`);
  expect(why?.causes[0]?.text).toContain('waits for lock vpn');
  await writeFile(join(farm.dir, 'go'), '');
  const last = (await farm.watch(holder)).at(-1);
  if (last?.kind !== 'build') throw new Error('no build of holder');
  expect(last.build.result).toBe('success');
  const child = await ofChild(last.build, 'locked');
  const after = (await farm.watch(stranger)).at(-1);
  if (after?.kind !== 'build') throw new Error('no build of stranger');
  expect(child.finishedAtMs).toBeLessThanOrEqual(after.build.startedAtMs);
  expect(after.build.result).toBe('success');
});
