import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Asker } from '../../../src/master/operator.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;
const READER: Asker = { name: 'rita', role: 'reader' };
const DEVELOPER: Asker = { name: 'dora', role: 'developer' };

const CONFIG = `
workers: [worker('w')],
projects: [
  project('p', { schedulers: [force()], builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })] }),
  project('closed', { builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })] }),
]`;

beforeAll(async () => {
  farm = await TryFarm.create(CONFIG);
  await farm.startMaster();
});
afterAll(() => farm.close());

test('who may not is told so', async () => {
  await expect(farm.force('b', READER)).rejects.toMatchObject({ code: 'forbidden' });
  await expect(farm.operator.stop(READER, '1', 'x')).rejects.toMatchObject({ code: 'forbidden' });
  await expect(farm.operator.reload(DEVELOPER)).rejects.toMatchObject({ code: 'forbidden' });
  await expect(farm.operator.revokeWorker(DEVELOPER, 'w')).rejects.toMatchObject({ code: 'forbidden' });
  await expect(farm.operator.status({ name: 'w', role: 'worker' })).rejects.toMatchObject({ code: 'forbidden' });
  await expect(farm.operator.status(READER)).resolves.toMatchObject({ title: 'Try' });
});

test('a wish that cannot be is refused before anything is queued', async () => {
  const { operator } = farm;
  const force = (project: string, builder: string, over: object = {}): Promise<unknown> =>
    operator.force(DEVELOPER, { project, builder }, { properties: {}, ...over });
  await expect(force('q', 'b')).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('"q"') });
  await expect(force('p', 'x')).rejects.toThrow('it has: b');
  await expect(force('closed', 'b')).rejects.toThrow('force()');
  await expect(force('p', 'b', { branch: 'main' })).rejects.toThrow('no source');
  await expect(force('p', 'b', { properties: { 'a b': 1 } })).rejects.toThrow('a b');
  await expect(force('p', 'b', { properties: { big: 'x'.repeat(70_000) } })).rejects.toThrow('longer');
  expect((await operator.status(READER)).waiting).toEqual([]);
});

test('branches and revisions that could be taken for something else are refused', async () => {
  await farm.config(CONFIG.replace("project('p', {", "project('p', { source: git('/nowhere', { branch: 'main' }),"));
  await farm.operator.reload(ADMIN);
  const force = (wish: object): Promise<unknown> =>
    farm.operator.force(DEVELOPER, { project: 'p', builder: 'b' }, { properties: {}, ...wish });
  for (const branch of ['--upload-pack=x', '', 'a..b', 'a b', 'a\nb', '/a', 'a/', 'a.lock', 'x'.repeat(300), 'a:b']) {
    await expect(force({ branch }), JSON.stringify(branch)).rejects.toMatchObject({ code: 'usage' });
  }
  for (const revision of ['-x', 'a b', 'a..b', 'HEAD@{1}', 'x'.repeat(300), '']) {
    await expect(force({ revision }), JSON.stringify(revision)).rejects.toMatchObject({ code: 'usage' });
  }
});

test('a request that waits says why, is watched, and is taken back', async () => {
  const { operator } = farm;
  const view = await operator.force(DEVELOPER, { project: 'p', builder: 'b' }, { properties: {}, branch: 'feature/x' });
  expect(view.waitsFor).toBe('no worker of b is connected: w has never connected');
  const watched = farm.watch(view.id);
  await operator.stop(DEVELOPER, `request:${view.id}`, 'changed my mind');
  expect((await watched).map(({ kind }) => kind)).not.toContain('build');
  await expect(operator.stop(DEVELOPER, `request:${view.id}`, 'again')).rejects.toMatchObject({ code: 'conflict' });
  await expect(operator.stop(DEVELOPER, 'request:999', 'x')).rejects.toMatchObject({ code: 'not-found' });
});

test('names of builds that are none, or name nothing', async () => {
  const { operator } = farm;
  for (const name of ['', 'abc', 'p/b', '#1', '1x', '-1', '0', 'p/b#0']) {
    await expect(operator.build(READER, name), name).rejects.toMatchObject({ code: 'usage' });
  }
  for (const name of ['99', 'p/b#99']) {
    await expect(operator.build(READER, name), name).rejects.toMatchObject({ code: 'not-found' });
  }
});

test('a reload takes all of a configuration or nothing, and tells the difference', async () => {
  const before = (await farm.operator.status(READER)).configHash;
  await farm.config(CONFIG.replace("workers: ['w']", "workers: ['v']"));
  const refused = farm.operator.reload(ADMIN);
  await expect(refused).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('"v"') });
  await farm.config('this is no TypeScript');
  await expect(farm.operator.reload(ADMIN)).rejects.toMatchObject({ code: 'usage' });
  expect((await farm.operator.status(READER)).configHash).toBe(before);
  await farm.config(CONFIG.replace("sh('s', 'true')", "sh('s', 'false')"));
  const { differences, hash } = await farm.operator.reload(ADMIN);
  expect(differences.join()).toContain('builder b');
  expect((await farm.operator.status(READER)).configHash).toBe(hash);
});
