import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BuildView } from '../../../src/master/views/build.ts';
import type { QueuedView } from '../../../src/master/views/request.ts';
import { until } from '../../support/until.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;
let changes = 0;

beforeAll(async () => {
  farm = await TryFarm.create('');
  const waits = `sh('s', 'while ! test -e ${farm.dir}/go; do sleep 0.05; done', { killAfter: '100ms' })`;
  await farm.config(`
workers: [worker('w', { maxBuilds: 10 }), worker('never')],
projects: [
  project('p', {
    source: git('/nowhere'),
    schedulers: [
      force(),
      onChange({ name: 'main', branch: 'main', builders: ['same'] }),
      onChange({ name: 'late', branch: 'late', builders: ['same'], queueFor: '100ms' }),
      onChange({ name: 'asked', branch: 'asked', builders: ['asked'] }),
      onChange({ name: 'stop', branch: 'stop', builders: ['stopped'] }),
      onChange({ name: 'two', branch: 'two', builders: ['bad', 'same', 'waits'] }),
      onChange({ name: 'set', branch: 'set', builders: ['bad', 'same', 'waits'], cancelRestOnFailure: true }),
    ],
    builders: [
      builder('same', { workers: ['never'], collapse: true, steps: [sh('s', 'true')] }),
      builder('asked', {
        workers: ['never'],
        collapse: (older, newer) => {
          if (newer.properties.mode === 'throws') throw new Error('who knows');
          return older.properties.mode === newer.properties.mode;
        },
        steps: [sh('s', 'true')],
      }),
      builder('stopped', { workers: ['w'], cancelSuperseded: { running: true }, steps: [${waits}] }),
      builder('bad', { workers: ['w'], steps: [sh('s', 'while ! test -e ${farm.dir}/bad; do sleep 0.05; done; exit 3')] }),
      builder('waits', { workers: ['w'], steps: [${waits}] }),
      builder('again', { workers: ['w'], retry: { failure: 1, pause: '1s' }, steps: [sh('s', 'exit 3')] }),
    ],
  }),
  project('q', {
    source: git('/nowhere'),
    dependsOn: ['up'],
    schedulers: [onChange({ branch: 'main' }), force()],
    builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })],
  }),
  project('r', {
    source: git('/nowhere'),
    dependsOn: ['hidden'],
    schedulers: [onChange({ branch: 'main' })],
    builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })],
  }),
  project('hidden', {
    source: git('/nowhere'),
    access: { read: ['ann'] },
    schedulers: [onChange({ branch: 'main' })],
    builders: [builder('b', { workers: ['w'], steps: [${waits}] })],
  }),
  project('up', {
    source: git('/nowhere'),
    schedulers: [onChange({ branch: 'main' })],
    builders: [builder('b', { workers: ['w'], steps: [${waits}] })],
  }),
]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

/** The requests of a change that was just sent. */
async function send(branch: string, project = 'p', over: object = {}): Promise<readonly number[]> {
  const wish = { branch, revision: `r${++changes}`, author: `author ${changes}`, ...over };
  const [sent] = await farm.operator.sendChanges(ADMIN, project, [wish]);
  return sent!.requests;
}

async function queued(request: number | undefined): Promise<QueuedView | undefined> {
  return (await farm.operator.queue(ADMIN)).find(({ id }) => id === request);
}

async function isGone(request: number | undefined): Promise<void> {
  await until(`request ${request} is out of the queue`, async () => (await queued(request)) === undefined);
}

async function why(name: string): Promise<string> {
  const views = await farm.operator.why(ADMIN, name);
  return views.flatMap(({ causes }) => causes.map(({ text }) => text)).join('\n');
}

async function runningOf(request: number | undefined): Promise<BuildView> {
  return await until(`a build of request ${request} runs`, async () =>
    (await farm.operator.status(ADMIN)).running.find((build) => build.request === request),
  );
}

test('what is collapsed says into what, and what it was collapsed into names it', async () => {
  const [[first], [second], [third]] = [await send('main'), await send('main'), await send('main')];
  expect(await queued(third)).toMatchObject({ collapsed: [first, second] });
  expect(await why(`request:${third}`)).toContain(
    `built in place of ${first}, ${second}, which were collapsed into it`,
  );
  expect(await why(`request:${first}`)).toBe(`it ended as skipped in the queue: collapsed into request ${third}`);
  expect(await farm.watch(second!)).toEqual([
    { kind: 'ended', result: 'skipped', reason: `collapsed into request ${third}` },
  ]);
  await farm.operator.stop(ADMIN, `request:${third}`, 'enough');
});

test('a function of the configuration tells which two are one, and none are if it fails', async () => {
  const mode = (text: string): Promise<readonly number[]> => send('asked', 'p', { properties: { mode: text } });
  const [[a], [b], [sameA]] = [await mode('a'), await mode('b'), await mode('a')];
  await isGone(a);
  expect(await queued(sameA)).toMatchObject({ collapsed: [a] });
  const [[odd], [last]] = [await mode('throws'), await mode('b')];
  await isGone(b);
  expect(await queued(last)).toMatchObject({ collapsed: [b] });
  for (const left of [sameA, odd, last]) expect(await queued(left), String(left)).toBeDefined();
});

test('a newer change ends the build of an older one', async () => {
  const [older] = await send('stop');
  const build = await runningOf(older);
  const [newer] = await send('stop');
  expect(await farm.finished(String(build.id))).toMatchObject({
    result: 'cancelled',
    summary: expect.stringMatching(new RegExp(`^superseded by change \\d+ \\(r${changes}\\), request ${newer}$`)),
  });
  const again = await runningOf(newer);
  await farm.operator.stop(ADMIN, String(again.id), 'enough');
  await farm.finished(String(again.id));
});

test('the first failure of a set ends the rest of it', async () => {
  const [same, bad, waits] = await send('set');
  const [failing, build] = [await runningOf(bad), await runningOf(waits)];
  await writeFile(join(farm.dir, 'bad'), '');
  await farm.finished(String(failing.id));
  const reason = `cancelled with the rest of its build set: p/bad, request ${bad}, ended as failure`;
  expect(await farm.finished(String(build.id))).toMatchObject({ result: 'cancelled', summary: reason });
  expect(await why(`request:${same}`)).toBe(`it ended as cancelled in the queue: ${reason}`);
});

test('all of a set is stopped by its name, and by nobody who may not', async () => {
  const [same, , waits] = await send('two');
  const { id, buildSet } = await runningOf(waits);
  const name = `set:${buildSet}`;
  const rita = { name: 'rita', role: 'reader' } as const;
  await expect(farm.operator.stop(rita, name, 'enough')).rejects.toMatchObject({ code: 'forbidden' });
  await farm.operator.stop(ADMIN, name, 'enough');
  expect(await farm.finished(String(id))).toMatchObject({ result: 'cancelled', summary: 'enough' });
  expect(await why(`request:${same}`)).toBe('it was taken out of the queue: enough');
  await expect(farm.operator.stop(ADMIN, name, 'again')).rejects.toThrow(`all of build set ${buildSet} has ended`);
  await expect(farm.operator.stop(ADMIN, 'set:4711', 'x')).rejects.toMatchObject({ code: 'not-found' });
});

test('a failure is tried again after a pause, which is told, and not once more', async () => {
  const request = await farm.force('again');
  const pause = await until('it pauses', async () => /pauses until .*/.exec(await why(`request:${request}`))?.[0]);
  expect(pause).toMatch(/^pauses until \d\d:\d\d:\d\d UTC before it is tried again: it failed$/);
  const last = (await farm.watch(request)).at(-1);
  expect(last).toMatchObject({
    build: { result: 'failure', summary: 's: exit 3; not retried again: the request has had 2 builds' },
  });
  const { retryOf, startedAtMs } = (last as { build: BuildView }).build;
  const first = await farm.operator.build(ADMIN, String(retryOf));
  expect(first).toMatchObject({
    result: 'retry',
    retryCause: 'failure',
    summary: 's: exit 3; retried: failure 1 of 1',
  });
  expect(startedAtMs - (first.finishedAtMs ?? 0)).toBeGreaterThanOrEqual(1_000);
});

test('a request that waited for too long ends as an exception that says for what', async () => {
  const [late] = await send('late');
  await isGone(late);
  expect(await farm.watch(late!)).toEqual([
    {
      kind: 'ended',
      result: 'exception',
      reason: 'not built, for its time in the queue is over: no worker of same is connected: never has never connected',
    },
  ]);
});

test('a project waits for those that it depends on, and what somebody asks for does not', async () => {
  const [up] = await send('main', 'up');
  const build = await runningOf(up);
  const [mine] = await send('main', 'q');
  const [hidden] = await send('main', 'hidden');
  const other = await runningOf(hidden);
  // Those who read of r may not be those who read of the other.
  const [told] = await send('main', 'r');
  expect((await queued(told))?.waitsFor).toBe(`waits for what its project depends on: build ${other.id}`);
  expect((await queued(mine))?.waitsFor).toBe(`waits for what its project depends on: up/b build ${build.id}`);
  const forced = await farm.operator.force(ADMIN, { project: 'q', builder: 'b' }, { properties: {} });
  expect((await farm.watch(forced.id)).at(-1)).toMatchObject({ build: { result: 'success' } });
  expect(await queued(mine)).toBeDefined();
  await writeFile(join(farm.dir, 'go'), '');
  expect((await farm.watch(mine!)).at(-1)).toMatchObject({ build: { result: 'success' } });
});
