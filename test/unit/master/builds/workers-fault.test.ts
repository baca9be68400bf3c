import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { MiB } from '../../../../src/protocol/limits.ts';
import { fileAnswer, runAnswer } from '../../../../src/master/builds/answer-of.ts';
import { faultIn } from '../../../../src/master/builds/workers-fault.ts';
import { smallDisk } from '../../../support/small-disk.ts';
import type { SmallDisk } from '../../../support/small-disk.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;
/** Said to the session, or to the command that came right behind it. */
const WHY = /^s: worker w could not run the command: .*session.*(folder|ENOTDIR)/;

beforeAll(async () => {
  farm = await TryFarm.create(`
workers: [worker('w'), worker('full'), worker('lone')],
projects: [project('p', { schedulers: [force()], builders: [
  builder('run', { workers: ['w'], steps: [sh('s', 'true')] }),
  builder('wrong', { workers: ['w'], steps: [sh('s', ['no-such-program'])] }),
  ...['full', 'lone'].map((name) => builder(name, { workers: [name], steps: [sh('s', 'true')] })),
  builder('file', { workers: ['full'], steps: [step('s', async (ctx) => { await ctx.remove('x'); })] }),
  builder('put', { workers: ['w'], steps: [step('s', async (ctx) => { try { await ctx.mkdir('x'); } catch { return 'failure'; } })] }),
] }), project('hidden', { access: { read: ['ann'] }, schedulers: [force()], builders: [
  builder('run', { workers: ['w'], steps: [sh('s', 'true')] }),
] })]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
/** For how long it is set aside. */
async function aside(name: string): Promise<string | null | undefined> {
  return (await farm.operator.workers(ADMIN)).find((worker) => worker.name === name)?.held;
}
const resume = (name: string): Promise<void> => farm.operator.holdWorker(ADMIN, name, { to: 'resume' });

let disk: SmallDisk | undefined;
afterEach(async () => {
  await disk?.remove();
  disk = undefined;
});
afterAll(() => farm.close());

test('a build is not told that it failed when its worker could not make its folder', async () => {
  const place = join(farm.dir, 'w', 'work', 'p');
  await mkdir(join(place, '..'), { recursive: true });
  await writeFile(place, 'no folder');
  for (const builder of ['run', 'put']) {
    const { result, summary, id } = await farm.build(builder);
    expect([result, summary]).toEqual(['exception', expect.stringMatching(WHY)]);
    if (builder === 'run') expect(await farm.log(id, 's')).toMatch(/^trunkline: .*session/);
    expect(await aside('w')).toMatch(
      /^is set aside until [\d:]{8} UTC: a build ended by its own fault: worker w could not/,
    );
    await resume('w');
    expect(await aside('w')).toBeNull();
  }
  await rm(place);
  expect((await farm.build('run')).result).toBe('success');
});

test('of a project that only some may read everybody is told which build met the fault, and no word of its folders', async () => {
  const place = join(farm.dir, 'w', 'work', 'hidden');
  await mkdir(join(place, '..'), { recursive: true });
  await writeFile(place, 'no folder');
  const { id } = await farm.operator.force(ADMIN, { project: 'hidden', builder: 'run' }, { properties: {} });
  const last = (await farm.watch(id)).at(-1);
  if (last?.kind !== 'build') throw new Error('it was not built');
  expect(last.build.summary).toMatch(/hidden/);
  expect(await aside('w')).toMatch(
    new RegExp(
      `^is set aside until [\\d:]{8} UTC: a build ended by its own fault: build #${last.build.id} says which$`,
    ),
  );
  await rm(place);
  await resume('w');
});

test.for<readonly [place: string, builder: string, why: RegExp]>([
  [
    'spool',
    'full',
    /^s: worker full could not run the command: .*the disk of .*spool is full: nothing was started; make room/,
  ],
  ['state', 'full', /^s: worker full could not run the command: the worker could not open the session .*ENOSPC/],
  ['state/files', 'file', /^s: worker full could not run the command: .*ENOSPC/],
])(
  'a build is not told that it failed when the disk of its worker’s %s is full',
  async ([place, builder, why], { skip }) => {
    await farm.addWorker('full');
    disk = await smallDisk(16 * MiB, join(farm.dir, 'full', place));
    if (!disk) {
      skip('no small file system can be mounted here');
      return;
    }
    await farm.startWorker('full', { keeperLimits: { freeBytes: 1 * MiB } });
    expect((await farm.build(builder)).result).toBe('success');
    disk.fill(0);
    const { result, summary } = await farm.build(builder);
    expect([result, summary]).toEqual(['exception', expect.stringMatching(why)]);
    disk.relieve();
    await resume('full');
    expect((await farm.build(builder)).result).toBe('success');
    await farm.stopWorker('full');
  },
);

test('a build is not told that it failed when its worker has no keeper', async () => {
  await farm.startWorker('lone', { keeperProgram: ['--eval', 'process.exit(3)'] });
  expect(await farm.build('lone')).toMatchObject({
    result: 'exception',
    summary: expect.stringMatching(
      /^s: worker lone could not run the command: the keeper .* could not be started: it ended \(3\)/,
    ),
  });
  await farm.stopWorker('lone');
  await farm.startWorker('lone');
  await resume('lone');
  expect((await farm.build('lone')).result).toBe('success');
});

test('a command that is wrong fails its step', async () => {
  expect(await farm.build('wrong')).toMatchObject({
    result: 'failure',
    summary: expect.stringContaining('no-such-program'),
  });
});

test('a refusal of a worker that names no fault is the command’s, as it always was', () => {
  const outcome = { status: 'refused', message: 'no', startedAtMs: 1, endedAtMs: 2 } as const;
  expect(runAnswer(outcome, undefined, 'w')).toMatchObject({ ok: { status: 'refused' } });
  expect(fileAnswer('mkdir', 'x', outcome, 'w')).toEqual({ error: 'mkdir x: no' });
  const faulty = { ...outcome, fault: 'worker' } as const;
  const summary = 'worker w could not run the command: no';
  const exception = { end: { result: 'exception', summary, isWorkersFault: true } };
  expect(runAnswer(faulty, undefined, 'w')).toEqual(exception);
  expect(fileAnswer('mkdir', 'x', faulty, 'w')).toEqual(exception);
});

test('what a step’s own code throws is no fault of its worker; a command that it could not run is', () => {
  const record = { id: 'U.0.1', buildId: 1, step: 0, key: '1', kind: 'run', call: null, state: 'finished' } as const;
  const thrown = { ...record, kind: 'exception', answer: null };
  const unknown = { ...record, answer: { end: { result: 'exception', summary: 'unknown' } } };
  expect(faultIn([thrown, unknown, { ...record, state: 'started' }])).toBeUndefined();
  const faulty = { ...record, answer: { end: { result: 'exception', summary: 'no room', isWorkersFault: true } } };
  expect(faultIn([thrown, faulty])).toBe('no room');
});
