import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;

/** Two warnings, on stderr as compilers print them. */
const CC = `printf 'a.c:1:2: warning: unused x\\nok\\nb.c:9:1: warning: old y\\n' >&2`;

beforeAll(async () => {
  const cc = JSON.stringify(CC);
  farm = await TryFarm.create(`
workers: [worker('w', { maxBuilds: 6 })],
projects: [project('p', { schedulers: [force()], builders: [
  builder('counts', { workers: ['w'], steps: [compile('one', ${cc}), compile('two', ${cc} + '; exit 0', { asWarnings: false }), compile('none', 'true')] }),
  builder('long', { workers: ['w'], steps: [compile('cc ' + 'x'.repeat(76) + ' y', ${cc})] }),
  builder('env', { workers: ['w'], env: { TRY_A: 'x=1;'.repeat(25_000) }, steps: [setPropertiesFromEnv(['TRY_A', 'TRY_A', 'TRY_A'])] }),
  builder('fails', { workers: ['w'], steps: [compile('make', ${cc} + '; exit 2')] }),
  builder('many', { workers: ['w'], steps: [compile('make', ${cc}, { maxWarnings: 1 })] }),
  builder('at-most', { workers: ['w'], steps: [compile('make', ${cc}, { maxWarnings: 2 })] }),
  builder('by-list', { workers: ['w'], steps: [compile('make', ${cc}, { suppress: [{ file: /a/, lines: [1, 1] }], observe: [countLines(/^ok$/, { property: 'oks' })] })] }),
  builder('by-file', { workers: ['w'], steps: [
    sh('file', 'mkdir sub; echo "b.c : old : 9" > sub/known'), compile('make', ${cc}, { suppress: (ctx) => 'known', cwd: 'sub' }),
  ] }),
  builder('bad-file', { workers: ['w'], steps: [sh('file', 'echo "no suppression" > known'), compile('make', ${cc}, { suppress: 'known' })] }),
  builder('no-file', { workers: ['w'], steps: [compile('make', ${cc}, { suppress: 'unknown' })] }),
  builder('observed', { workers: ['w'], steps: [
    sh('check', 'echo "12 passed, 1 failed"; echo "13 passed, 0 failed"; echo retry; echo retry', { observe: [
      matchLines(/^(\\d+) passed, (\\d+) failed/, ([, passed, failed]) => ({ properties: { passed: Number(passed), failed: Number(failed) }, summary: passed + ' passed' })),
      countLines(/^retry/g, { property: 'retries', summary: (count) => count + ' retries', result: 'warnings' }),
      countLines(/^never/, { property: 'nevers', summary: () => 'never', result: 'failure' }),
    ] }),
  ] }),
] })]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function ended(builder: string) {
  const build = await farm.build(builder);
  const step = build.steps.at(-1);
  const properties = Object.fromEntries(build.properties.map(({ name, value }) => [name, value]));
  return { build, id: build.id, result: build.result, summary: step?.summary, properties };
}

test('warnings are counted for each step and for the build, and have a log of their own', async () => {
  const { id, build, properties } = await ended('counts');
  expect(build.steps.map(({ result, summary }) => [result, summary])).toEqual([
    ['warnings', '2 warnings'],
    ['success', '2 warnings'],
    ['success', null],
  ]);
  expect(build.result).toBe('warnings');
  expect(properties).toMatchObject({
    'warnings-count': 4,
    'warnings-count.one': 2,
    'warnings-count.two': 2,
    'warnings-count.none': 0,
  });
  expect(await farm.log(id, 'one', 'warnings')).toBe('a.c:1:2: warning: unused x\nb.c:9:1: warning: old y\n');
  expect(build.steps[2]?.logs.map(({ name }) => name)).toEqual(['stdio']);
});

test('the property of a step with a long name is cut at the blank', async () => {
  const { result, properties } = await ended('long');
  expect(result).toBe('warnings');
  expect(properties[`warnings-count.cc ${'x'.repeat(76)}`]).toBe(2);
});

test('variables that are too long together are no properties', async () => {
  const { result, summary, properties } = await ended('env');
  expect([result, summary]).toEqual([
    'failure',
    'TRY_A, TRY_A, TRY_A have more than 262144 bytes; take fewer at a time',
  ]);
  expect(Object.keys(properties).filter((name) => /^TRY_|x/.test(name))).toEqual([]);
});

test.each([
  ['fails', 'failure', 'exit 2, 2 warnings'],
  ['many', 'failure', '2 warnings, more than 1'],
  ['at-most', 'warnings', '2 warnings'],
  ['by-list', 'warnings', '1 warning, 1 suppressed'],
  ['by-file', 'warnings', '1 warning, 1 suppressed'],
  ['bad-file', 'failure', expect.stringContaining('known: line 1 of the suppressions, "no suppression", is no')],
  ['no-file', 'failure', 'the suppressions unknown could not be read: exit 1'],
])('a build that %s ends as %s', async (builder, result, summary) => {
  expect(await ended(builder)).toMatchObject({ result, summary });
});

test('what observers find becomes properties, a part of the summary, and the result', async () => {
  expect(await ended('observed')).toMatchObject({
    result: 'warnings',
    summary: '13 passed, 2 retries',
    properties: { passed: 13, failed: 0, retries: 2, nevers: 0 },
  });
  expect((await ended('by-list')).properties).toMatchObject({ oks: 1 });
});
