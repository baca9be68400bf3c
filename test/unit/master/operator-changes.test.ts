import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Asker } from '../../../src/master/operator.ts';
import type { ChangeWish, SentChange } from '../../../src/master/views/change.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;
const DORA: Asker = { name: 'dora', role: 'developer' };
const builders = `builders: [
  builder('b', { workers: ['w'], steps: [sh('s', 'true')] }),
  builder('c', { workers: ['nowhere'], steps: [sh('s', 'true')] }),
]`;

beforeAll(async () => {
  farm = await TryFarm.create(`
workers: [worker('w'), worker('nowhere')],
projects: [
  project('p', { source: git('/p.git'), schedulers: [onChange({ branch: ['main', 'old'] }), onChange({ name: 'asked', branch: 'asked', filter: ({ files }) => files.length > 1 }), onChange({ name: 'slow', branch: ['topic'], builders: ['c'], priority: 2, properties: { a: 1 }, reason: 'topics, too' })], ${builders} }),
  project('bare', { ${builders} }),
]`);
  await farm.startMaster();
});
afterAll(() => farm.close());

const send = (changes: readonly ChangeWish[], project = 'p', asker = DORA): Promise<readonly SentChange[]> =>
  farm.operator.sendChanges(asker, project, changes);

test('a change is built once by each builder, however often it comes', async () => {
  const wish = { branch: 'main', revision: 'abc', author: 'Anna <a@example.org>', comments: 'Fix it\n\nAll of it\n' };
  const [first] = await send([wish]);
  expect(first).toMatchObject({ isNew: true, branch: 'main', revision: 'abc' });
  expect(first?.requests).toHaveLength(2);
  const again = await Promise.all([send([wish]), send([{ ...wish, branch: 'refs/heads/main', comments: 'other' }])]);
  expect(again).toEqual([[{ ...first, isNew: false }], [{ ...first, isNew: false }]]);
  const { waiting } = await farm.operator.status(ADMIN);
  expect(waiting.map(({ builder, owner }) => [builder, owner])).toEqual([
    ['b', 'dora'],
    ['c', 'dora'],
  ]);
  await farm.startWorker('w');
  const last = (await farm.watch(first?.requests[0] ?? 0)).at(-1);
  expect(last).toMatchObject({
    build: {
      owner: 'dora',
      reason: 'a change of main',
      scheduler: 'onChange',
      branch: 'main',
      revision: 'abc',
      blame: ['Anna <a@example.org>'],
      changes: [{ id: first?.id, author: 'Anna <a@example.org>', subject: 'Fix it', revlink: null, sentBy: 'dora' }],
    },
  });
});

test('changes of branches that nobody builds are kept, and listed; the newest first', async () => {
  const [, second] = await send([
    { branch: 'old', revision: '1', properties: { n: 1 } },
    { branch: 'other', revision: '2', files: ['a\nb', '\u0000\u001b[31m'], comments: '\u202e\u0000', category: 'x' },
  ]);
  expect(second).toMatchObject({ isNew: true, requests: [] });
  const [newest, before] = await farm.operator.changes(DORA, { limit: 2 });
  expect(newest).toMatchObject({
    project: 'p',
    repository: '/p.git',
    branch: 'other',
    files: ['a\nb', '\u0000\u001b[31m'],
    filesLeftOut: 0,
    comments: '\u202e\u0000',
    author: null,
    category: 'x',
    sentBy: 'dora',
  });
  expect(before).toMatchObject({ branch: 'old', properties: { n: 1 } });
  expect(await farm.operator.changes(DORA, { project: 'q', limit: 9 })).toEqual([]);
});

test('each scheduler that wants a change makes a build set of its own, as it says', async () => {
  const [both] = await send([{ branch: 'topic', revision: '7', properties: { a: 0, b: 0 } }]);
  expect(both?.requests).toHaveLength(1);
  const waiting = (await farm.operator.queue(DORA)).find(({ id }) => id === both?.requests[0]);
  expect(waiting).toMatchObject({ builder: 'c', scheduler: 'slow', priority: 2, branch: 'topic', revision: '7' });
  await farm.startWorker('nowhere');
  const last = (await farm.watch(both?.requests[0] ?? 0)).at(-1);
  expect(last).toMatchObject({ build: { reason: 'topics, too', scheduler: 'slow', builder: 'c', owner: 'dora' } });
  if (last?.kind !== 'build') throw new Error('it was not built');
  const properties = new Map(last.build.properties.map(({ name, value }) => [name, value]));
  expect([properties.get('a'), properties.get('b'), properties.get('scheduler')]).toEqual([1, 0, 'slow']);
});

test('a function of the configuration is asked whether its scheduler wants a change', async () => {
  const [one, two] = await send([
    { branch: 'asked', revision: '1', files: ['a'] },
    { branch: 'asked', revision: '2', files: ['a', 'b'] },
  ]);
  expect([one?.requests.length, two?.requests.length]).toEqual([0, 2]);
});

test('one wrong change keeps the others of its call out, too', async () => {
  const before = await farm.operator.changes(DORA, { limit: 100 });
  const good = { branch: 'main', revision: 'good' };
  await expect(send([good, { branch: '-x', revision: 'y' }])).rejects.toMatchObject({ code: 'usage' });
  await expect(send(Array.from({ length: 101 }, () => good))).rejects.toThrow('more than 100');
  await expect(send([])).rejects.toMatchObject({ code: 'usage' });
  await expect(send([good], 'q')).rejects.toMatchObject({ code: 'not-found' });
  await expect(send([good], 'bare')).rejects.toThrow('no source');
  await expect(send([good], 'p', { name: 'rita', role: 'reader' })).rejects.toMatchObject({ code: 'forbidden' });
  expect(await farm.operator.changes(DORA, { limit: 100 })).toEqual(before);
});
