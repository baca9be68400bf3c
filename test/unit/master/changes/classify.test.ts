import { expect, test } from 'vitest';
import { z } from 'zod';
import type { ChangeFilterOptions } from '../../../../src/config/change-filter.ts';
import { changeFilterFields, changeFilterShape } from '../../../../src/config/change-filter-schema.ts';
import { classify } from '../../../../src/master/changes/classify.ts';
import type { ClassifyTools, NewChange } from '../../../../src/master/changes/classify.ts';

const CHANGE: NewChange = {
  project: 'kate',
  repository: '/kate.git',
  branch: 'main',
  revision: 'abc',
  author: 'Anna <anna@example.org>',
  comments: 'Fix it',
  files: ['src/lib/a.c', 'README'],
  filesLeftOut: 0,
  category: 'nightly/x',
  properties: {},
  atMs: 1,
  sentBy: 'dora',
};
const never: ClassifyTools['ask'] = (place) => Promise.reject(new Error(`${place} is asked`));

async function made(options: ChangeFilterOptions, change: Partial<NewChange> = {}, ask = never) {
  const problems: string[] = [];
  const filter = changeFilterShape(z.strictObject(changeFilterFields).parse(options));
  const tools = { ask, onFailed: (problem: string) => problems.push(problem) };
  const importance = await classify({ name: 's', filter }, { ...CHANGE, ...change }, tools);
  return problems.length > 0 ? { importance, problems } : importance;
}

test.each<[ChangeFilterOptions, Partial<NewChange>, string]>([
  [{}, {}, 'important'],
  [{ branch: 'main' }, {}, 'important'],
  [{ branch: 'main' }, { branch: 'main2' }, 'ignored'],
  [{ branch: ['old', 'release/*'] }, { branch: 'release/1' }, 'important'],
  [{ branch: 'release/*' }, { branch: 'release/1/x' }, 'ignored'],
  [{ branch: 'release/**' }, { branch: 'release/1/x' }, 'important'],
  [{ branch: '!main' }, {}, 'ignored'],
  [{ branch: ['!wip/**', '!main'] }, { branch: 'topic' }, 'important'],
  [{ branch: ['**', '!wip/**'] }, { branch: 'wip/a' }, 'ignored'],
  [{ branch: /^v\d+$/ }, { branch: 'v12' }, 'important'],
  [{ branch: /^v\d+$/ }, { branch: 'v12x' }, 'ignored'],
  [{ branch: ['a+b', /never/] }, { branch: 'a+b' }, 'important'],
  [{ branch: ['a+b', /never/] }, { branch: 'aab' }, 'ignored'],
  [{ author: '*<anna@example.org>' }, {}, 'important'],
  [{ author: /@EXAMPLE/i }, {}, 'important'],
  [{ author: 'Anna <anna@example.org>' }, {}, 'important'],
  [{ author: '!Anna <anna@example.org>' }, {}, 'ignored'],
  [{ category: 'nightly/*' }, {}, 'important'],
  [{ category: 'weekly' }, {}, 'ignored'],
  [{ codebase: 'lib' }, { codebase: 'lib' }, 'important'],
  [{ codebase: ['!lib'] }, { codebase: 'lib' }, 'ignored'],
  [{ codebase: 'lib' }, {}, 'ignored'],
  [{ files: 'src/**' }, {}, 'important'],
  [{ files: '*.c' }, {}, 'ignored'],
  [{ files: '**/*.c' }, {}, 'important'],
  [{ files: ['src/**', '!**/*.c'] }, {}, 'ignored'],
  [{ files: '!README' }, {}, 'important'],
  [{ files: '!README' }, { files: ['README'] }, 'ignored'],
  [{ files: 'docs/**' }, { filesLeftOut: 1 }, 'important'],
  [{ files: 'docs/**' }, { files: [] }, 'important'],
  [{ files: '**/.hidden' }, { files: ['a/.hidden'] }, 'important'],
  [{ files: 'a(b)' }, { files: ['a(b)'] }, 'important'],
  [{ files: 'x/{a,b}.[ch]' }, { files: ['x/b.h'] }, 'important'],
  [{ fileIsImportant: 'docs/**' }, {}, 'unimportant'],
  [{ fileIsImportant: ['src/**'] }, {}, 'important'],
  [{ branch: 'x', fileIsImportant: ['src/**'] }, {}, 'ignored'],
])('%j makes of a change with %j: %s', async (options, change, importance) => {
  expect(await made(options, change)).toBe(importance);
});

test('what is no branch is built only by those who ask for it', async () => {
  const tag = { branch: 'refs/tags/v1/x' };
  expect(await made({}, tag)).toBe('ignored');
  expect(await made({ branch: '!main' }, tag)).toBe('ignored');
  expect(await made({ branch: 'main', tags: true }, tag)).toBe('important');
  expect(await made({ branch: 'main', tags: 'v1/*' }, tag)).toBe('important');
  expect(await made({ branch: 'main', tags: 'v2/*' }, tag)).toBe('ignored');
  expect(await made({ branch: 'main', tags: 'v2/*' })).toBe('important');
  expect(await made({ branch: 'refs/tags/**' }, tag)).toBe('important');
  expect(await made({ branch: 'refs/pull/*/head' }, { branch: 'refs/pull/7/head' })).toBe('important');
});

test('a pull request is built by those who ask for it, by the branch that it is to go into', async () => {
  const request = {
    branch: 'refs/pull/7/head',
    kind: 'pull-request',
    target: 'main',
    files: [],
    filesLeftOut: 1,
  } as const;
  expect(await made({}, request)).toBe('ignored');
  expect(await made({ branch: '**' }, request)).toBe('ignored');
  expect(await made({ branch: 'refs/pull/*/head' }, request)).toBe('ignored');
  expect(await made({ pullRequests: true }, request)).toBe('important');
  expect(await made({ pullRequests: true, branch: 'main', files: 'src/**' }, request)).toBe('important');
  expect(await made({ pullRequests: true, branch: 'stable' }, request)).toBe('ignored');
  expect(await made({ pullRequests: true, branch: 'main' })).toBe('important');
});

test('a change that is skipped is built by nobody', async () => {
  expect(await made({ branch: 'main', filter: () => true }, { skipped: '[skip ci]' })).toBe('ignored');
});

test('a function is asked by its place, with the change, and only when all else holds', async () => {
  const asked: unknown[] = [];
  const ask: ClassifyTools['ask'] = async (place, args, limitMs) => {
    asked.push([place, args, limitMs]);
    return { ok: !place.endsWith('fileIsImportant') };
  };
  const functions = { filter: () => true, fileIsImportant: () => true };
  expect(await made({ ...functions, branch: 'other' }, {}, ask)).toBe('ignored');
  expect(asked).toEqual([]);
  expect(await made(functions, {}, ask)).toBe('unimportant');
  expect(asked).toEqual([
    ['project kate/scheduler s/filter', [CHANGE], 10_000],
    ['project kate/scheduler s/fileIsImportant', [CHANGE], 10_000],
  ]);
  expect(await made(functions, {}, async () => ({ ok: false }))).toBe('ignored');
});

test('a change whose filter cannot tell is built, and it is said why', async () => {
  const functions = { filter: () => true };
  expect(await made(functions, {}, async () => ({ error: 'TypeError: no' }))).toEqual({
    importance: 'important',
    problems: ['filter of scheduler s: TypeError: no'],
  });
  expect(await made(functions, {}, async () => ({ ok: 'yes' }))).toEqual({
    importance: 'important',
    problems: ['filter of scheduler s: it answered "yes", not true or false'],
  });
});

test('a pattern that would take for ever over a name is ended, and the change is built', async () => {
  const evil = `${'a'.repeat(60)}!`;
  const problem = {
    importance: 'important',
    problems: [expect.stringMatching(/^branch of scheduler s: .*took longer than/)],
  };
  expect(await made({ branch: /^(a+)+$/ }, { branch: evil })).toEqual(problem);
  expect(await made({ branch: 'main' })).toBe('important');
});
