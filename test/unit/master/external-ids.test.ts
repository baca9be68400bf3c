import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;
const LONG = 'x'.repeat(201);

beforeAll(async () => {
  farm = await TryFarm.create(`
workers: [worker('w'), worker('nowhere')],
projects: [project('p', {
  source: git('/p.git', { branch: 'main' }),
  builders: [
    builder('part', { workers: ['nowhere'], steps: [sh('s', 'true')] }),
    builder('all', { workers: ['w'], steps: [trigger('t', { schedulers: ['part'], externalId: (ctx) => ctx.property('id') })] }),
  ],
  schedulers: [onChange({ branch: 'main', builders: ['part'] }), triggerable('part', { builders: ['part'] }), force()],
})]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

const target = { project: 'p', builder: 'all' };
const force = async (externalId: string, id: string) =>
  (await farm.watch((await farm.operator.force(ADMIN, target, { properties: { id }, externalId })).id)).at(-1);

test('what others call it stays with the build set of a change, a force and a trigger', async () => {
  const [sent] = await farm.operator.sendChanges(ADMIN, 'p', [{ branch: 'main', revision: 'r', externalId: 'CHG-1' }]);
  expect(await farm.operator.changes(ADMIN, { limit: 1 })).toMatchObject([{ externalId: 'CHG-1' }]);
  expect(await farm.operator.queue(ADMIN)).toMatchObject([{ id: sent?.requests[0], externalId: 'CHG-1' }]);
  const last = await force('ORDER 7', 'PART 7');
  expect(last).toMatchObject({ build: { result: 'success', externalId: 'ORDER 7' } });
  if (last?.kind !== 'build') throw new Error('no build');
  const [child] = last.build.children;
  expect(await farm.operator.why(ADMIN, `request:${child?.request}`)).toMatchObject([{ externalId: 'PART 7' }]);
  expect(await farm.operator.why(ADMIN, String(last.build.id))).toMatchObject([{ externalId: 'ORDER 7' }]);
});

test('one that is none is refused wherever it is given', async () => {
  for (const externalId of ['', LONG]) {
    const refused = expect.objectContaining({ code: 'usage', message: expect.stringContaining('has not 1 to 200') });
    await expect(force(externalId, 'x')).rejects.toEqual(refused);
    const change = { branch: 'main', revision: 'none', externalId };
    await expect(farm.operator.sendChanges(ADMIN, 'p', [change])).rejects.toEqual(refused);
  }
  expect(await force('good', LONG)).toMatchObject({
    build: { result: 'exception', steps: [{ summary: expect.stringContaining('has not 1 to 200 characters') }] },
  });
});
