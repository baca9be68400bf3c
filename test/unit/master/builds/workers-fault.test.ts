import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { fileAnswer, runAnswer } from '../../../../src/master/builds/answer-of.ts';
import { TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;
/** Said to the session, or to the command that came right behind it. */
const WHY = /^s: worker w could not run the command: .*session.*(folder|ENOTDIR)/;

beforeAll(async () => {
  farm = await TryFarm.create(`
workers: [worker('w')],
projects: [project('p', { schedulers: [force()], builders: [
  builder('run', { workers: ['w'], steps: [sh('s', 'true')] }),
  builder('wrong', { workers: ['w'], steps: [sh('s', ['no-such-program'])] }),
  builder('put', { workers: ['w'], steps: [step('s', async (ctx) => { try { await ctx.mkdir('x'); } catch { return 'failure'; } })] }),
] })]`);
  await farm.startMaster();
  await farm.startWorker('w');
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
  }
  await rm(place);
  expect((await farm.build('run')).result).toBe('success');
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
  const exception = { end: { result: 'exception', summary: 'worker w could not run the command: no' } };
  expect(runAnswer(faulty, undefined, 'w')).toEqual(exception);
  expect(fileAnswer('mkdir', 'x', faulty, 'w')).toEqual(exception);
});
