import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { recordingLogger } from '../../config/try-config.ts';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let farm: TryFarm;
let asked: string;
let gate: string;
const log = recordingLogger();

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  asked = await farm.path('flags', 'asked');
  gate = await farm.path('flags', 'gate');
  await writeFile(asked, '');
  const of = (env: string): string => `{ workers: ['w'], env: ${env}, steps: [sh('s', 'env')] }`;
  await farm.config(`
workers: [worker('w', { labels: { disk: 'ssd' } })],
projects: [project('p', { schedulers: [force()], builders: [
  builder('told', { workers: ['w'],
    env: async ({ request, worker }) => {
      const { appendFileSync, readFileSync } = await import('node:fs');
      appendFileSync('${asked}', 'x');
      const times = readFileSync('${asked}', 'utf8').length;
      return { TARGET: String(request.properties.target), DISK: worker.name + ' ' + worker.labels.disk + ' ' + worker.running, TIMES: String(times) };
    },
    steps: [
      sh('first', 'echo $TARGET, $DISK, $TIMES; while test ! -e ${gate}; do sleep 0.05; done'),
      sh('second', 'echo $TARGET, $OWN, $TIMES', { env: { OWN: 'own', TARGET: 'other' } }),
    ] }),
  builder('throws', ${of("() => { throw new Error('who knows'); }")}),
  builder('numbers', ${of('() => ({ JOBS: 4 })')}),
  builder('names', ${of("() => ({ 'A B': 'c' })")}),
  builder('much', ${of("() => ({ A: 'x'.repeat(100_000) })")}),
] })]`);
  await farm.startMaster({ logger: log });
  await farm.startWorker('w');
});
afterAll(() => farm.close());

test('a function is asked once about each build, with its worker, and all of its commands have what it said, over a restart', async () => {
  const { id } = await farm.operator.force(
    ADMIN,
    { project: 'p', builder: 'told' },
    { properties: { target: 'debug' } },
  );
  const build = await until('it runs', async () => (await farm.operator.status(ADMIN)).running[0]?.id);
  await until('its first step has begun', async () => {
    const { steps } = await farm.operator.build(ADMIN, String(build));
    return (steps[0]?.logs[0]?.length ?? 0) > 0;
  });
  await farm.stopMaster();
  await farm.startMaster({ logger: log });
  await writeFile(gate, '');
  expect((await farm.watch(id)).at(-1)).toMatchObject({ kind: 'build', build: { id: build, result: 'success' } });
  expect(await farm.log(build, 'first')).toBe('debug, w ssd 0, 1\n');
  expect(await farm.log(build, 'second')).toBe('other, own, 1\n');
  expect(await readFile(asked, 'utf8')).toBe('x');
});

test.each([
  ['throws', 'env of throws failed: Error: who knows'],
  ['numbers', "env of numbers failed: TypeError: JOBS: give a text, or secret('key')"],
  ['names', 'no name of an environment variable'],
  ['much', 'env of much failed: it returned more than 65536 characters of JSON'],
])(
  'what is no environment ends the build as an exception that says so, before its first step: %s',
  async (builder, text) => {
    expect(await farm.build(builder)).toMatchObject({
      result: 'exception',
      summary: expect.stringContaining(text) as string,
      steps: [{ state: 'pending' }],
    });
    expect(log.lines.filter((line) => line.startsWith(`env of p/${builder} failed`))).toHaveLength(1);
  },
);
