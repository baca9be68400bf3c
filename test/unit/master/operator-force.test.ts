import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BuildView } from '../../../src/master/views/build.ts';
import type { ForceWish } from '../../../src/master/views/request.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const BOB = { name: 'bob', role: 'developer' } as const;
const FORMAL = { project: 'p', builder: 'formal' };
let farm: TryFarm;

beforeAll(async () => {
  farm = await TryFarm.create(`
    workers: [worker('v', { maxBuilds: 5 }), worker('w', { maxBuilds: 5 }), worker('away')],
    projects: [project('p', {
      builders: ['free', 'formal', 'both'].map((name) => builder(name, { workers: ['v', 'w', 'away'], steps: [sh('s', 'true')] })).concat(
        builder('own', { workers: ['v'], properties: { language: 'c' }, steps: [step('s', (ctx) => ({ result: 'success', summary: ctx.property('language') }))] }),
      ),
      schedulers: [
        force({ builders: ['free', 'both', 'own'] }),
        force({ name: 'form', builders: ['formal', 'both'], reason: 'required', priority: 2, properties: { by: 'form' }, parameters: {
          target: choice(['debug', 'release'], { label: 'What to build', required: true }),
          jobs: int({ min: 1, max: 64, default: 4 }), note: text({ maxLength: 20 }), clean: bool(),
        } }),
      ],
    })]`);
  await farm.startMaster();
  await farm.startWorker('v');
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function built(builder: string, wish: Partial<ForceWish> = {}): Promise<BuildView> {
  const { id } = await farm.operator.force(BOB, { project: 'p', builder }, { properties: {}, ...wish });
  const last = (await farm.watch(id)).at(-1);
  if (last?.kind !== 'build') throw new Error(`no build of ${builder}`);
  return last.build;
}

function force(wish: Partial<ForceWish>, asker: typeof BOB | typeof ADMIN = BOB): Promise<unknown> {
  return farm.operator.force(asker, FORMAL, { properties: {}, reason: 'r', ...wish });
}

test('a build begins with its parameters, of their types, and those that were not said by their defaults', async () => {
  const { properties, owner } = await built('formal', {
    reason: 'a release',
    properties: { target: 'release', clean: 'true' },
  });
  expect(owner).toBe('bob');
  expect(properties).toEqual(
    expect.arrayContaining([
      { name: 'target', value: 'release', source: 'request' },
      { name: 'clean', value: true, source: 'request' },
      { name: 'jobs', value: 4, source: 'request' },
      { name: 'by', value: 'form', source: 'scheduler' },
    ]),
  );
  expect(properties.map(({ name }) => name)).not.toContain('note');
});

test('a builder’s own properties hold where nobody says otherwise', async () => {
  const usual = await built('own');
  expect(usual.properties).toContainEqual({ name: 'language', value: 'c', source: 'builder' });
  expect(usual.steps).toMatchObject([{ summary: 'c' }]);
  const asked = await built('own', { properties: { language: 'rust' } });
  expect(asked.properties).toContainEqual({ name: 'language', value: 'rust', source: 'request' });
  expect(asked.steps).toMatchObject([{ summary: 'rust' }]);
});

test('what is missing, unknown or out of range is refused, all of it at once, with what is allowed', async () => {
  await expect(force({ properties: { jobs: '65', tarqet: 'x' } })).rejects.toMatchObject({
    code: 'usage',
    message:
      'there is no parameter "tarqet": there is target, jobs, note, clean; target is missing: give one of debug, release; jobs is "65": give a whole number from 1 to 64 ("parameters p/formal" lists them)',
  });
  const noReason = farm.operator.force(BOB, FORMAL, { properties: { target: 'debug' } });
  await expect(noReason).rejects.toThrow('is forced with a reason: --reason TEXT');
});

test('without parameters any property may be given; of two schedulers the first is asked, or the one that is named', async () => {
  const free = await built('both', { properties: { any: 'thing' } });
  expect(free.properties).toContainEqual({ name: 'any', value: 'thing', source: 'request' });
  const formal = await built('both', { scheduler: 'form', reason: 'r', properties: { target: 'debug' } });
  expect(formal.properties).toContainEqual({ name: 'jobs', value: 4, source: 'request' });
  await expect(force({ scheduler: 'none' })).rejects.toThrow(
    'there is no force scheduler "none" for formal in p: there is form',
  );
});

test('a build may be wanted on one worker of its builder, and waits for that one alone', async () => {
  for (const worker of ['v', 'w', 'v']) expect((await built('free', { worker })).worker).toBe(worker);
  await expect(force({ worker: 'x', properties: { target: 'debug' } })).rejects.toThrow(
    '"x" is no worker of p/formal: those are v, w, away',
  );
  const waits = await farm.operator.force(BOB, { project: 'p', builder: 'free' }, { properties: {}, worker: 'away' });
  expect(waits.waitsFor).toBe('no worker of free is connected: away has never connected');
  await farm.operator.stop(ADMIN, `request:${waits.id}`, 'tidy');
});

test('an operator says a priority, and nobody else', async () => {
  const properties = { target: 'debug' };
  await expect(force({ priority: 5, properties })).rejects.toMatchObject({ code: 'forbidden' });
  await expect(force({ priority: 101, properties }, ADMIN)).rejects.toThrow('from -100 to 100');
  const ask = { properties, reason: 'r', worker: 'away' };
  const [high, usual] = await Promise.all([
    farm.operator.force(ADMIN, FORMAL, { ...ask, priority: 5 }),
    farm.operator.force(ADMIN, FORMAL, ask),
  ]);
  const queue = await farm.operator.queue(ADMIN);
  expect(queue.map(({ id, priority }) => [id, priority])).toEqual([
    [high.id, 5],
    [usual.id, 2],
  ]);
  for (const { id } of queue) await farm.operator.stop(ADMIN, `request:${id}`, 'tidy');
});

test('what may be said of a build is told', async () => {
  const [form] = await farm.operator.parameters(BOB, FORMAL);
  expect(form).toMatchObject({ project: 'p', scheduler: 'form', isReasonRequired: true, workers: ['v', 'w', 'away'] });
  expect(form?.parameters?.[0]).toEqual({
    name: 'target',
    type: 'choice',
    label: 'What to build',
    choices: ['debug', 'release'],
    isMultiple: false,
    isRequired: true,
  });
  const both = await farm.operator.parameters(BOB, { project: 'p', builder: 'both' });
  expect(both.map(({ scheduler, parameters }) => [scheduler, parameters === null])).toEqual([
    ['force', true],
    ['form', false],
  ]);
});
