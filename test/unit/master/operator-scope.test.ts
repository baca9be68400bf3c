import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Asker } from '../../../src/master/operator.ts';
import type { ForceProgress } from '../../../src/master/views/request.ts';
import { until } from '../../support/until.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;
let build: number;
let waiting: number;

const ANN: Asker = { name: 'ann', role: 'developer' };
const BOB: Asker = { name: 'bob', role: 'developer' };
const EVE: Asker = { name: 'eve', role: 'developer' };

const config = (access: string): string => `
workers: [worker('w')],
projects: [
  project('p', { ${access} schedulers: [force()], builders: [
    builder('b', { workers: ['w'], steps: [sh('s', 'echo secret')] }),
    builder('long', { workers: ['w'], steps: [sh('s', 'sleep 600')] }),
  ] }),
  project('q', { schedulers: [force()], builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })] }),
]`;
const LIMITED = config("access: { read: ['ann', 'nobody'], control: ['bob'] },");

beforeAll(async () => {
  farm = await TryFarm.create(LIMITED);
  await farm.startMaster();
  await farm.startWorker('w');
  build = (await farm.build('b')).id;
  await farm.force('long');
  await until('it runs', async () => (await farm.operator.status(ADMIN)).running.length === 1);
  waiting = await farm.force('b');
});
afterAll(() => farm.close());

const never = new AbortController().signal;

async function first(asker: Asker): Promise<ForceProgress | undefined> {
  for await (const progress of farm.operator.watch(asker, waiting, never)) return progress;
  return undefined;
}

async function log(asker: Asker): Promise<string> {
  let text = '';
  const options = { from: 0, follow: false };
  for await (const piece of farm.operator.log(asker, String(build), 's', options))
    text += Buffer.from(piece).toString();
  return text;
}

/** What is said of what is not there, with the name that was asked for in its place. */
async function words(asked: Promise<unknown>): Promise<string> {
  return await asked.then(
    () => 'answered',
    (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`.replaceAll(/\d+/g, 'N'),
  );
}

test('for whoever may not read it a project is not there, in the words for what is not there', async () => {
  const { operator } = farm;
  const status = await operator.status(EVE);
  expect([status.running, status.waiting]).toEqual([[], []]);
  expect((await operator.workers(EVE)).map(({ builds }) => builds)).toEqual([[]]);
  expect(await operator.builds(EVE, { limit: 10 })).toEqual([]);
  expect(await operator.builds(EVE, { limit: 10, project: 'p' })).toEqual([]);
  const none = words(operator.build(EVE, '999'));
  for (const name of [String(build), 'p/b#1']) {
    const asked = words(operator.build(EVE, name));
    expect((await asked).replace('p/b#N', 'N')).toBe(await none);
  }
  expect(await words(log(EVE))).toBe(await none);
  expect(await words(first(EVE))).toBe('not-found: there is no request N');
  expect(await words(operator.stop(EVE, String(build), 'x'))).toBe(await none);
  expect(await words(operator.stop(EVE, `request:${waiting}`, 'x'))).toBe('not-found: there is no request N');
  const force = (project: string): Promise<string> =>
    words(operator.force(EVE, { project, builder: 'b' }, { properties: {} }));
  expect(await force('p')).toBe((await force('z')).replace('"z"', '"p"'));
});

test('whoever may read it reads it, and is told why it may not be controlled', async () => {
  const { operator } = farm;
  expect((await operator.status(ANN)).waiting.map(({ id }) => id)).toEqual([waiting]);
  expect((await operator.workers(ANN))[0]?.builds).toHaveLength(1);
  expect((await operator.builds(ANN, { limit: 10 })).map(({ project }) => project)).toEqual(['p', 'p']);
  expect(await log(ANN)).toBe('secret\n');
  expect(await first(ANN)).toMatchObject({ kind: 'queued' });
  const refused = { code: 'forbidden', message: expect.stringMatching(/ann may read p.*ask an operator/) };
  const wish = { properties: {} };
  await expect(operator.force(ANN, { project: 'p', builder: 'b' }, wish)).rejects.toMatchObject(refused);
  await expect(operator.stop(ANN, `request:${waiting}`, 'x')).rejects.toMatchObject(refused);
  await expect(operator.stop(ANN, String(build), 'x')).rejects.toMatchObject(refused);
  await expect(operator.force(ANN, { project: 'q', builder: 'b' }, wish)).resolves.toMatchObject({ project: 'q' });
});

test('whoever may control it may read it, too; an operator is not limited', async () => {
  const target = { project: 'p', builder: 'b' };
  for (const asker of [BOB, ADMIN]) {
    expect((await farm.operator.build(asker, String(build))).project).toBe('p');
    const { id } = await farm.operator.force(asker, target, { properties: {} });
    await farm.operator.stop(asker, `request:${id}`, 'enough');
  }
  const reader = { ...BOB, role: 'reader' } as const;
  await expect(farm.operator.force(reader, target, { properties: {} })).rejects.toMatchObject({ code: 'forbidden' });
});

test('a list is as long as was asked for, whatever is left out of it', async () => {
  await farm.operator.stop(ADMIN, 'p/long#1', 'enough');
  await farm.operator.stop(ADMIN, `request:${waiting}`, 'enough').catch(() => undefined);
  for (const { id } of (await farm.operator.status(ADMIN)).waiting) {
    await farm.operator.stop(ADMIN, `request:${id}`, 'enough').catch(() => undefined);
  }
  const forced = await farm.operator.force(ADMIN, { project: 'q', builder: 'b' }, { properties: {} });
  await farm.watch(forced.id);
  await farm.build('b');
  expect((await farm.operator.builds(EVE, { limit: 1 })).map(({ project }) => project)).toEqual(['q']);
});

test('a reload changes it at once, names what it does not know, and a project that is gone keeps its limits', async () => {
  await farm.config(config(''));
  expect((await farm.operator.reload(ADMIN)).differences.join()).toContain('access changed');
  expect((await farm.operator.build(EVE, String(build))).project).toBe('p');
  await farm.config(LIMITED);
  const { warnings } = await farm.operator.reload(ADMIN);
  expect(warnings.join()).toMatch(/project "p": access names nobody/);
  await expect(farm.operator.build(EVE, String(build))).rejects.toMatchObject({ code: 'not-found' });
  await farm.config(LIMITED.replace("project('p'", "project('renamed'"));
  await farm.operator.reload(ADMIN);
  await expect(farm.operator.build(EVE, String(build))).rejects.toMatchObject({ code: 'not-found' });
  expect((await farm.operator.build(ANN, String(build))).project).toBe('p');
  await farm.stopMaster();
  await farm.startMaster();
  await expect(farm.operator.build(EVE, String(build))).rejects.toMatchObject({ code: 'not-found' });
});
