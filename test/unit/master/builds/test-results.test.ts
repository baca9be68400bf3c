import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { JsonObject } from '../../../../src/model/json.ts';
import type { BuildView } from '../../../../src/master/views/build.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

/**
 * Builds whose steps bring results of tests, on a real master and worker. TRUNKLINE_TEST_CASES: so many cases has the file of very
 * many, 20,000 if nothing is said; with 1,000,000 also the limit of what is kept is reached.
 */
const CASES = Number(process.env['TRUNKLINE_TEST_CASES'] ?? 20_000);
const KEPT = 200_000;

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

let farm: TryFarm;

beforeAll(async () => {
  const make = "sh('make', (ctx) => ctx.property('make'))";
  farm = await TryFarm.create(`
workers: [worker('w', { maxBuilds: 4 })],
projects: [project('p', { schedulers: [force()], builders: [
  builder('junit', { workers: ['w'], steps: [${make}, junit('unit', ['out/*.xml', 'deep/**/*.xml'])] }),
  builder('mild', { workers: ['w'], steps: [${make}, junit('unit', () => 'out/*.xml', { onFailed: 'warnings', allowEmpty: true })] }),
  builder('tap', { workers: ['w'], steps: [${make}, tap('files', { file: '*.tap' }, { allowEmpty: true }), tap('log', { step: 'make' })] }),
  builder('own', { workers: ['w'], steps: [step('all', async (ctx) => {
    await ctx.run('echo 1..1; echo ok 1 - a', { log: 'first' });
    await ctx.run(ctx.property('make'));
    const told = [await ctx.testResults({ tap: { log: 'first' } }), await ctx.testResults({ junit: 'a.xml' })];
    await ctx.setProperty('told', told);
  })] }),
] })]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function build(builder: string, make: string): Promise<BuildView> {
  const properties: JsonObject = { make };
  const { id } = await farm.operator.force(ADMIN, { project: 'p', builder }, { properties });
  const last = (await farm.watch(id)).at(-1);
  if (last?.kind !== 'build') throw new Error(`no build of ${builder}`);
  return last.build;
}

const suite = (cases: string): string => `<testsuite name="s">${cases}</testsuite>`;
const failing = (name: string): string => `<testcase name="${name}"><failure message="not ${name}"/></testcase>`;
const passing = (name: string): string => `<testcase name="${name}"/>`;
/** Writes files on the worker. */
const files = (contents: Readonly<Record<string, string>>): string =>
  Object.entries(contents)
    .map(([path, text]) => `mkdir -p "$(dirname ${path})"; printf '%s' '${text}' > ${path}`)
    .join('; ');

async function failed(id: number): Promise<readonly string[]> {
  const { tests } = await farm.operator.tests(ADMIN, String(id), { which: 'failing', after: 0, limit: 100 });
  return tests.map(({ name, isNew, isFlaky }) => `${name}${isNew ? ' new' : ''}${isFlaky ? ' flaky' : ''}`);
}

test('tests that fail make their step fail, and are told with what the builds before say of them', async () => {
  const first = await build(
    'junit',
    files({ 'out/a.xml': suite(passing('a') + failing('b')), 'deep/x/y/c.xml': suite(passing('c')) }),
  );
  expect(first.steps[1]).toMatchObject({ result: 'failure', summary: '1 of 3 failed' });
  expect(first).toMatchObject({ result: 'failure', tests: { passed: 2, failed: 1, errors: 0, skipped: 0 } });
  expect(await failed(first.id)).toEqual(['b']);

  const second = await build('junit', `rm -r deep; ${files({ 'out/a.xml': suite(failing('a') + passing('b')) })}`);
  expect(second.steps[1]?.summary).toBe('1 of 2 failed (1 new)');
  expect(await failed(second.id)).toEqual(['a new']);

  await build('junit', files({ 'out/a.xml': suite(passing('a')) }));
  const last = await build('junit', files({ 'out/a.xml': suite(failing('a') + failing('c')) }));
  expect(await failed(last.id)).toEqual(['a new flaky', 'c new']);
  expect(await failed(second.id)).toEqual(['a new']);

  const page = await farm.operator.tests(ADMIN, `p/junit#1`, { which: 'all', after: 0, limit: 2 });
  expect(page).toMatchObject({ build: first.id, counts: first.tests, more: 1 });
  const rest = await farm.operator.tests(ADMIN, String(first.id), { which: 'all', after: page.tests[1]!.id, limit: 2 });
  expect([...page.tests, ...rest.tests].map(({ suite, name }) => `${suite} ${name}`)).toEqual(['s c', 's a', 's b']);
});

test('failures may be warnings, and no files no failure', async () => {
  const bad = await build('mild', files({ 'out/a.xml': suite(failing('a')) }));
  expect(bad.steps[1]).toMatchObject({ result: 'warnings', summary: '1 of 1 failed' });
  const none = await build('mild', 'rm -rf out');
  expect(none.steps[1]).toMatchObject({ result: 'success', summary: 'no tests' });
});

test('TAP is read of files and of logs, also by a step of one’s own', async () => {
  const both = await build(
    'tap',
    `${files({ 'a.tap': '1..2\nok 1\nok 2 # SKIP no\n' })}; echo 1..1; echo not ok 1 - x; true`,
  );
  expect(both.steps.slice(1)).toMatchObject([
    { result: 'success', summary: '1 passed, 1 skipped' },
    { result: 'failure', summary: '1 of 1 failed' },
  ]);
  const own = await build('own', files({ 'a.xml': suite(passing('a') + passing('b')) }));
  expect(own).toMatchObject({ result: 'success', tests: { passed: 3 } });
  const told = own.properties.find(({ name }) => name === 'told')?.value;
  expect(told).toMatchObject([
    { ok: true, passed: 1 },
    { ok: true, passed: 2, summary: '2 passed', problems: [] },
  ]);
});

describe('what cannot be read fails the step, says why, and harms nobody', () => {
  test.each([
    ['no file', 'true', 'no file fits out/*.xml, deep/**/*.xml: did the tests run?'],
    [
      'a file of 100 MB',
      'mkdir out; truncate -s 100000000 out/a.xml',
      '"out/a.xml" has 100000000 bytes; at most 67108864 were asked for',
    ],
    [
      'one that was cut off',
      files({ 'out/a.xml': '<testsuite><testcase name="a"/><testcase' }),
      '1 passed; out/a.xml: it is no well-formed XML',
    ],
    [
      'entities',
      files({ 'out/a.xml': '<!DOCTYPE a [<!ENTITY b "c">]><testsuite/>' }),
      'no tests; out/a.xml: it has a DTD',
    ],
    [
      'another encoding',
      'mkdir out; printf \'<testsuite><testcase name="\\344"/></testsuite>\' > out/a.xml',
      'out/a.xml: it is not the utf-8',
    ],
    [
      'text',
      files({ 'out/a.xml': 'x', 'out/b.xml': 'y', 'out/c.xml': suite(passing('a')) }),
      '1 passed; out/a.xml: it is no well-formed XML at line 1, column 1',
    ],
  ])('%s', async (_, make, summary) => {
    const view = await build('junit', `rm -rf out deep; ${make}`);
    expect(view.steps[1]).toMatchObject({ result: 'failure', summary: expect.stringContaining(summary) });
    expect(await build('mild', files({ 'out/a.xml': suite(passing('a')) }))).toMatchObject({ result: 'success' });
  });

  test('a log that is not there', async () => {
    const view = await build('own', 'rm -f a.xml');
    expect(view.steps[0]?.summary).toContain('no file fits a.xml');
    const tap = await build('tap', 'rm -f a.tap; echo no tests here');
    expect(tap.steps.at(-1)).toMatchObject({
      result: 'failure',
      summary: 'no tests; the log stdio: there is no TAP in it',
    });
  });
});

test('very many cases are counted, and as many kept as a build may have', async () => {
  const many = `mkdir -p out; awk 'BEGIN { print "<testsuite>"; for (i = 0; i < ${CASES}; i++) printf "<testcase name=\\"t%d\\"/>", i; print "</testsuite>" }' > out/a.xml`;
  const view = await build('junit', `rm -rf out deep; ${many}`);
  expect(view).toMatchObject({ result: 'success', tests: { passed: CASES } });
  const page = await farm.operator.tests(ADMIN, String(view.id), { which: 'all', after: 0, limit: 1 });
  expect(page).toMatchObject({ leftOut: Math.max(0, CASES - KEPT), more: Math.min(CASES, KEPT) - 1 });
});

test('no file of it is left on the master', async () => {
  expect(await readdir(join(farm.masterDir, 'state', 'files'))).toEqual([]);
});
