import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Asker } from '../../../../src/master/operator.ts';
import { TryFarm } from '../try-farm.ts';

// A real thread on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const DORA: Asker = { name: 'dora', role: 'developer' };
let farm: TryFarm;

beforeAll(async () => {
  farm = await TryFarm.create(`
workers: [worker('nowhere')],
projects: [project('p', {
  source: git('/p.git', { revlink: (revision) => revision === 'bad' ? 'javascript:1' : revision === 'none' ? null : 'https://p/' + revision }),
  builders: [builder('b', { workers: ['nowhere'], steps: [sh('s', 'true')] })],
  schedulers: [
    onChange({ name: 'large', branch: '**', filter: async ({ files, filesLeftOut }) => files.length + filesLeftOut > 2 }),
    onChange({ name: 'broken', branch: 'broken', filter: ({ author }) => author.undefined.more }),
    onChange({ name: 'minor', branch: 'minor', fileIsImportant: ({ files }) => files.includes('major') }),
  ],
}), project('q', { source: git('/q.git', { revlink: 'https://q/c/{revision}?x' }), builders: [builder('b', { workers: ['nowhere'], steps: [sh('s', 'true')] })] })]`);
  await farm.startMaster();
});
afterAll(() => farm.close());

let revision = 0;
async function schedulersOf(branch: string, files: readonly string[]): Promise<readonly (string | undefined)[]> {
  const [sent] = await farm.operator.sendChanges(DORA, 'p', [{ branch, revision: `r${++revision}`, files }]);
  const { waiting } = await farm.operator.status(DORA);
  return waiting.filter(({ id }) => sent?.requests.includes(id)).map(({ scheduler }) => scheduler ?? undefined);
}

test('functions of the configuration say what is wanted', async () => {
  expect(await schedulersOf('main', ['a', 'b', 'c'])).toEqual(['large']);
  expect(await schedulersOf('main', ['a'])).toEqual([]);
  expect(await schedulersOf('minor', ['a'])).toEqual([]);
  expect(await schedulersOf('minor', ['major'])).toEqual(['minor']);
  const [newest] = await farm.operator.changes(DORA, { limit: 1 });
  expect(newest?.problems).toEqual([]);
});

test('a function that throws has the change built, and the change says why', async () => {
  expect(await schedulersOf('broken', ['a'])).toEqual(['broken']);
  const [newest] = await farm.operator.changes(DORA, { limit: 1 });
  expect(newest?.problems).toEqual([
    expect.stringMatching(/^filter of scheduler broken: .*Cannot read properties of undefined/),
  ]);
});

test('each change has a link to its revision, as the source gives it', async () => {
  const told = async (project: string, wish: object): Promise<unknown> => {
    await farm.operator.sendChanges(DORA, project, [{ branch: 'links', revision: 'abc', ...wish }]);
    const [{ revlink, problems } = {}] = await farm.operator.changes(DORA, { limit: 1 });
    return [revlink, problems];
  };
  expect(await told('p', {})).toEqual(['https://p/abc', []]);
  expect(await told('p', { revision: 'none' })).toEqual([null, []]);
  expect(await told('p', { revision: 'own', revlink: 'https://else/1' })).toEqual(['https://else/1', []]);
  expect(await told('q', {})).toEqual(['https://q/c/abc?x', []]);
  expect(await told('p', { revision: 'bad' })).toEqual([
    null,
    [expect.stringMatching(/^revlink of the source: it answered "javascript:1", not an address of http/)],
  ]);
});
