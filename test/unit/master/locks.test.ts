import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Asker } from '../../../src/master/operator.ts';
import type { BuildView } from '../../../src/master/views/build.ts';
import type { LockView } from '../../../src/master/views/lock.ts';
import { until } from '../../support/until.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const RITA: Asker = { name: 'rita', role: 'reader' };
let farm: TryFarm;

/** A shell text that goes on once the file `go-NAME` is there. */
const gate = (name: string): string => JSON.stringify(`while [ ! -e ${farm.dir}/go-${name} ]; do sleep 0.02; done`);
const go = (name: string): Promise<void> => writeFile(join(farm.dir, `go-${name}`), '');

const config = (vpn = "masterLock('vpn')"): string => {
  const lock = `${vpn}.exclusive()`;
  return `
workers: [worker('w', { maxBuilds: 8 }), worker('x')],
projects: [
  project('p', { schedulers: [force()], builders: [
    builder('whole', { workers: ['w'], locks: [${lock}], steps: [sh('s', ${gate('whole')})] }),
    builder('gone', { workers: ['x'], locks: [${lock}], steps: [sh('s', 'sleep 600')] }),
    builder('part', { workers: ['w'], steps: [sh('first', 'true'), sh('s', ${gate('part')}, { locks: [${lock}] }), sh('last', 'true')] }),
    builder('tidy', { workers: ['w'], steps: [sh('s', ${gate('tidy')}), sh('clean', 'true', { alwaysRun: true, locks: [${lock}] })] }),
    builder('free', { workers: ['w'], steps: [sh('s', 'true')] }),
  ] }),
  project('hidden', { access: { read: [], control: [] }, schedulers: [force()], builders: [
    builder('h', { workers: ['w'], locks: [${lock}], steps: [sh('s', ${gate('hidden')})] }),
  ] }),
]`;
};

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  await farm.config(config());
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function vpn(asker: Asker = ADMIN): Promise<LockView> {
  const [view] = await farm.operator.locks(asker, 'vpn');
  return view!;
}

async function holder(): Promise<string | undefined> {
  const [one] = (await vpn()).places[0]!.holders;
  return one && `${one.project}/${one.builder}#${one.number}`;
}

const build = (name: string): Promise<BuildView> => farm.operator.build(ADMIN, name);

async function waits(name: string, step = 's'): Promise<void> {
  await until(`${name} waits`, async () => {
    const view = await build(name).catch(() => undefined); // It may not have begun.
    return view?.steps.some((one) => one.name === step && one.waitsForLocks);
  });
}

async function runs(name: string): Promise<void> {
  await until(`a command of ${name} runs`, async () => {
    const view = await build(name).catch(() => undefined); // It may not have begun.
    return view?.steps.some(({ logs, state }) => state === 'running' && logs.length > 0);
  });
}

test('a step waits for what a build holds, which is told, and is told apart from its running', async () => {
  await farm.force('whole');
  await runs('p/whole#1');
  await farm.force('part');
  await waits('p/part#1');
  expect(await holder()).toBe('p/whole#1');
  const [why] = await farm.operator.why(RITA, 'p/part#1');
  expect(why?.causes).toEqual([
    {
      code: 'locks',
      text: expect.stringMatching(/^step s waits for lock vpn \(exclusive\): held by p\/whole#1 since /),
    },
  ]);
  const { waiters } = await vpn();
  expect(waiters).toMatchObject([
    { builder: 'part', step: 's', request: null, worker: 'w', mode: 'exclusive', units: 1 },
  ]);
  expect(waiters[0]?.waitsFor).toMatch(/^waits for lock vpn \(exclusive\): held by p\/whole#1 since /);
  const waiting = await build('p/part#1');
  expect(waiting.steps[1]).toMatchObject({ state: 'running', waitsForLocks: true, logs: [] });

  await farm.stopMaster();
  await farm.startMaster();
  await farm.connected('w', true);
  await waits('p/part#1');
  await go('whole');
  await runs('p/part#1');
  expect(await holder()).toBe('p/part#1');
  const running = await build('p/part#1');
  expect(running.steps[1]).toMatchObject({ waitsForLocks: false });
  expect(running.steps[1]?.startedAtMs).toBe(waiting.steps[1]?.startedAtMs);
  expect(running.lockWaitMs).toBe(running.steps[1]?.lockWaitMs);
  await go('part');
  expect(await farm.finished('p/part#1')).toMatchObject({ result: 'success', lockWaitMs: running.lockWaitMs });
  await until('it is free', async () => (await holder()) === undefined);
});

test('a stop ends a wait at once, and lets the next one go; a stopped holder lets go with its end', async () => {
  await farm.force('gone');
  await farm.startWorker('x');
  await runs('p/gone#1');
  await farm.force('part');
  await waits('p/part#2');
  await farm.force('part');
  await waits('p/part#3');
  await farm.operator.stop(ADMIN, 'p/part#2', 'not needed');
  const stopped = await farm.finished('p/part#2');
  expect(stopped).toMatchObject({ result: 'cancelled', summary: 'not needed' });
  expect(stopped.steps[1]).toMatchObject({ result: 'cancelled', waitsForLocks: false, logs: [] });
  expect(stopped.steps[1]?.lockWaitMs).toBeGreaterThanOrEqual(0);
  expect((await vpn()).waiters.map(({ build: id }) => id)).toEqual([(await build('p/part#3')).id]);

  // Nothing is heard of its worker: what it runs there may run on, and has the lock.
  await farm.stopWorker('x');
  expect(await holder()).toBe('p/gone#1');
  expect((await build('p/part#3')).steps[1]).toMatchObject({ waitsForLocks: true });
  await farm.operator.stop(ADMIN, 'p/gone#1', 'lost for good');
  expect(await farm.finished('p/part#3')).toMatchObject({ result: 'success' });
});

test('a step that always runs waits for its locks also in a stopped build, and a second stop ends that', async () => {
  const { id } = await farm.operator.force(ADMIN, { project: 'hidden', builder: 'h' }, { properties: {} });
  await runs('hidden/h#1');
  await farm.force('tidy');
  await runs('p/tidy#1');
  await farm.operator.stop(ADMIN, 'p/tidy#1', 'not needed');
  await waits('p/tidy#1', 'clean');

  // Whoever may not read the project that holds it learns that somebody does.
  const [seen] = await farm.operator.why(RITA, 'p/tidy#1');
  expect(seen?.causes.at(-1)?.text).toMatch(/held by build \d+ since /);
  expect(JSON.stringify(seen)).not.toContain('hidden');
  const { places, waiters } = await vpn(RITA);
  expect(places[0]?.holders).toMatchObject([
    { build: null, project: null, builder: null, number: null, mode: 'exclusive' },
  ]);
  expect(JSON.stringify([places, waiters])).not.toContain('hidden');
  expect(waiters).toMatchObject([{ builder: 'tidy', step: 'clean' }]);

  await farm.operator.stop(ADMIN, 'p/tidy#1', 'at once');
  const stopped = await farm.finished('p/tidy#1');
  expect(stopped).toMatchObject({ result: 'cancelled' });
  expect(stopped.steps.map(({ result }) => result)).toEqual(['cancelled', 'cancelled']);
  await go('hidden');
  await farm.watch(id);
});

test('a request waits for locks before it takes a place on a worker, and a stop in the queue wakes the next', async () => {
  const full = config().replace("worker('w', { maxBuilds: 8 })", "worker('w', { maxBuilds: 2 })");
  await farm.config(full.replaceAll('go-whole', 'go-again'));
  await farm.operator.reload(ADMIN);
  await farm.force('whole');
  await runs('p/whole#2');
  const waiting = [await farm.force('whole'), await farm.force('whole')];
  const queue = await farm.operator.queue(ADMIN);
  expect(queue.map(({ waitsFor }) => waitsFor)).toEqual([
    expect.stringMatching(/^waits for lock vpn \(exclusive\): held by p\/whole#2 since /),
    expect.stringMatching(/held by p\/whole#2 since .*, 1 ahead of it/),
  ]);
  expect((await vpn()).waiters.map(({ request }) => request)).toEqual(waiting);
  // The one place that is left is nobody's.
  expect(await farm.build('free')).toMatchObject({ result: 'success', worker: 'w' });
  await farm.operator.stop(ADMIN, `request:${waiting[0]}`, 'not needed');
  await go('again');
  const last = (await farm.watch(waiting[1]!)).at(-1);
  expect(last).toMatchObject({ kind: 'build', build: { result: 'success', number: 3 } });
  await farm.config(config());
  await farm.operator.reload(ADMIN);
});

test('two builds that would wait for each other: one ends as an exception that names the circle, and the other goes on', async () => {
  await farm.config(`
workers: [worker('w', { maxBuilds: 8 }), worker('x')],
projects: [project('p', { schedulers: [force()], builders: ['left', 'right'].map((name, n) => builder(name, {
  workers: ['w'], locks: [masterLock(['one', 'two'][n])],
  steps: [sh('s', ${gate('circle')}), sh('both', 'true', { locks: [masterLock(['two', 'one'][n])] })],
})) })]`);
  await farm.operator.reload(ADMIN);
  for (const name of ['left', 'right']) await farm.force(name);
  for (const name of ['left', 'right']) await runs(`p/${name}#1`);
  await go('circle');
  const both = await Promise.all([farm.finished('p/left#1'), farm.finished('p/right#1')]);
  const [ended, other] = both.toSorted((a, b) => (a.result ?? '').localeCompare(b.result ?? ''));
  expect(other).toMatchObject({ result: 'success' });
  expect(ended).toMatchObject({ result: 'exception' });
  expect(ended!.steps[1]).toMatchObject({ result: 'exception', logs: [] });
  for (const name of ['p/left#1', 'p/right#1', 'lock one', 'lock two']) expect(ended!.summary).toContain(name);
});

test('a child has the lock of the build that waits for it, before those that wait for that build', async () => {
  await farm.config(`
workers: [worker('w', { maxBuilds: 8 }), worker('x')],
projects: [project('p', { schedulers: [force(), triggerable('kin', { builders: ['child'] })], builders: [
  builder('parent', { workers: ['w'], locks: [masterLock('vpn').exclusive()], steps: [
    sh('s', ${gate('kin')}), trigger('kin', { schedulers: ['kin'], wait: true }),
  ] }),
  builder('child', { workers: ['w'], locks: [masterLock('vpn').exclusive()], steps: [sh('s', ${gate('child')})] }),
  builder('other', { workers: ['w'], locks: [masterLock('vpn').exclusive()], steps: [sh('s', 'true')] }),
] })]`);
  await farm.operator.reload(ADMIN);
  await farm.force('parent');
  await runs('p/parent#1');
  const request = await farm.force('other');
  await go('kin');
  await runs('p/child#1');
  const { places, waiters } = await vpn();
  expect(places[0]).toMatchObject({ slots: 1, used: 1, holders: [{ builder: 'parent' }, { builder: 'child' }] });
  expect(waiters).toMatchObject([{ request }]);
  await go('child');
  expect(await farm.finished('p/parent#1')).toMatchObject({ result: 'success' });
  expect((await farm.watch(request)).at(-1)).toMatchObject({ build: { result: 'success' } });
});

test('two builds whose children would wait for them: one child ends in the queue, its parent hears of it, the other goes on', async () => {
  const config = (name: string, own: string, wanted: string): string => `
  builder('${name}', { workers: ['w'], locks: [masterLock('${own}')], steps: [
    sh('s', ${gate('children')}), trigger('child', { schedulers: ['${name}'], wait: true }),
  ] }),
  builder('of-${name}', { workers: ['w'], locks: [masterLock('${wanted}')], steps: [sh('s', 'true')] }),`;
  await farm.config(`
workers: [worker('w', { maxBuilds: 8 }), worker('x')],
projects: [project('p', {
  schedulers: [force(), triggerable('up', { builders: ['of-up'] }), triggerable('down', { builders: ['of-down'] })],
  builders: [${config('up', 'one', 'two')} ${config('down', 'two', 'one')}],
})]`);
  await farm.operator.reload(ADMIN);
  for (const name of ['up', 'down']) await farm.force(name);
  for (const name of ['up', 'down']) await runs(`p/${name}#1`);
  await go('children');
  const both = await Promise.all([farm.finished('p/up#1'), farm.finished('p/down#1')]);
  expect(new Set(both.map(({ result }) => result))).toEqual(new Set(['exception', 'success']));
  expect(both.find(({ result }) => result === 'exception')?.steps[1]).toMatchObject({ result: 'exception' });
  expect(await farm.operator.queue(ADMIN)).toEqual([]);
  expect((await farm.operator.locks(ADMIN)).flatMap(({ places }) => places.flatMap(({ holders }) => holders))).toEqual(
    [],
  );
});

test('a lock that a reload takes away is what its holder knew it as, until nobody holds it', async () => {
  await farm.config(config().replaceAll('go-whole', 'go-last'));
  await farm.operator.reload(ADMIN);
  await farm.force('whole');
  await runs('p/whole#4');
  await farm.force('part');
  await waits('p/part#4');
  await farm.config(config("masterLock('other')"));
  await farm.operator.reload(ADMIN);
  expect(await vpn()).toMatchObject({ isGone: true, places: [{ slots: 1, used: 1 }], waiters: [{ builder: 'part' }] });
  await go('last');
  expect(await farm.finished('p/part#4')).toMatchObject({ result: 'success' });
  await expect(vpn()).rejects.toThrow('there is no lock "vpn"; the locks are: other');
  await expect(farm.operator.locks({ name: 'w', role: 'worker' })).rejects.toMatchObject({ code: 'forbidden' });
});
