import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { recordingLogger } from '../../config/try-config.ts';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let farm: TryFarm;
let gate: string;
const log = recordingLogger();

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  gate = await farm.path('flags', 'gate');
  const on = (workers: string, code: string): string => `workers: ${workers}, ${code}, steps: [sh('s', 'true')]`;
  await farm.config(`
workers: [worker('a'), worker('b', { labels: ['fast'] }), worker('c')],
projects: [project('p', { schedulers: [force()], builders: [
  builder('fast', { ${on("['a', 'b']", 'nextWorker: (workers, request) => request.id > 0 && workers.find(({ labels }) => labels.fast)?.name')} }),
  builder('none', { ${on("['a', 'b']", 'nextWorker: async () => null')} }),
  builder('throws', { ${on("['a', 'b']", "nextWorker: () => { throw new Error('who knows'); }")} }),
  builder('odd', { ${on("['a', 'b']", "nextWorker: () => 'c'")} }),
  builder('plain', { ${on("['a']", 'env: {}')} }),
  builder('newest', { workers: ['c'], nextBuild: (requests) => requests.at(-1).id, steps: [sh('s', 'while test ! -e ${gate}; do sleep 0.05; done')] }),
  builder('thinks', { workers: ['c'], nextBuild: async (requests) => {
    while (!existsSync('${gate}.' + requests.length)) await new Promise((resolve) => setTimeout(resolve, 20));
    return requests[0].id;
  }, steps: [sh('s', 'true')] }),
  builder('picky', { ${on("['c']", 'nextBuild: () => null')} }),
  builder('lost', { ${on("['c']", 'nextBuild: () => 4711')} }),
] })]`);
  await farm.startMaster({ logger: log });
  for (const name of ['a', 'b', 'c']) await farm.startWorker(name);
});
afterAll(() => farm.close());

async function why(request: number, text: string): Promise<string> {
  return await until(`request ${request} waits for: ${text}`, async () => {
    const [view] = await farm.operator.why(ADMIN, `request:${request}`);
    const told = view?.causes[0]?.text ?? '';
    return told.includes(text) ? told : undefined;
  });
}

test('nextWorker has its way among the workers that have room', async () => {
  for (const number of [1, 2])
    expect(await farm.build('fast')).toMatchObject({ number, worker: 'b', result: 'success' });
});

test.each([
  ['none', 'a: nextWorker chose none; asked again at '],
  ['throws', 'a: nextWorker failed: Error: who knows'],
  ['odd', 'a: nextWorker failed: it answered "c", which has no room or is no worker'],
])('a nextWorker that is %s holds up its own request alone, and says why', async (builder, text) => {
  const request = await farm.force(builder);
  expect(await why(request, text)).toContain(text.replace('a:', 'b:'));
  expect(await farm.build('plain')).toMatchObject({ result: 'success' });
  await farm.operator.stop(ADMIN, `request:${request}`, 'enough');
  const told = log.lines.filter((line) => line.startsWith(`nextWorker of p/${builder} failed`));
  expect(told).toHaveLength(builder === 'none' ? 0 : 1);
});

test('nextBuild chooses which request of its builder is next, and the others say so', async () => {
  await rm(gate, { force: true });
  const first = await farm.force('newest');
  await until('the first one runs', async () => (await farm.operator.status(ADMIN)).running.length > 0);
  const second = await farm.force('newest');
  const third = await farm.force('newest');
  expect(await why(second, 'chose')).toBe(`nextBuild of newest chose request ${third} before it`);
  expect(existsSync(gate)).toBe(false);
  await writeFile(gate, '');
  for (const request of [first, second, third]) await farm.watch(request);
  const builds = await farm.operator.builds(ADMIN, { project: 'p', builder: 'newest', limit: 3 });
  expect(builds.map(({ request }) => request)).toEqual([second, third, first]);
});

test('requests that come while nextBuild thinks hold up nobody: what it chose of those before them starts', async () => {
  const first = await farm.force('thinks');
  expect(await why(first, 'nextBuild')).toBe('nextBuild of thinks is asked');
  const second = await farm.force('thinks');
  // It never answers of two.
  await writeFile(`${gate}.1`, '');
  for (const request of [first, second]) expect((await farm.watch(request)).at(-1)?.kind).toBe('build');
});

test.each([
  ['picky', 'nextBuild of picky chose none; asked again at '],
  ['lost', 'nextBuild of lost failed: it answered 4711, which is no id of a request; asked again at '],
])('a nextBuild that is %s holds up its own builder alone, and says why', async (builder, text) => {
  const request = await farm.force(builder);
  expect(await why(request, text)).toContain(text);
  await writeFile(gate, '');
  expect(await farm.build('newest')).toMatchObject({ result: 'success' });
  await farm.operator.stop(ADMIN, `request:${request}`, 'enough');
});
