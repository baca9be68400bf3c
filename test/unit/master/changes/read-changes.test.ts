import { expect, test } from 'vitest';
import { readChanges } from '../../../../src/master/changes/read-changes.ts';

test('one change, or a list of them', () => {
  const one = { branch: 'main', revision: 'abc' };
  const all = { ...one, author: 'Anna', comments: 'x', files: ['a'], category: 'c', properties: { n: [1] }, key: 'k' };
  expect(readChanges(JSON.stringify(one))).toEqual([one]);
  expect(readChanges(JSON.stringify([all, one]))).toEqual([all, one]);
  expect(readChanges('[]')).toEqual([]);
});

test.each([
  ['', /no JSON/],
  ['{', /no JSON/],
  ['null', /change 1/],
  ['7', /change 1/],
  ['{"branch": "main"}', /change 1: revision:/],
  ['[{"branch": "main", "revision": "a"}, {"branch": 7, "revision": "a"}]', /change 2: branch:/],
  ['{"branch": "main", "revision": "a", "files": [1]}', /files\.0/],
  ['{"branch": "main", "revision": "a", "colour": "red"}', /unknown key colour/],
  ['{"branch": "main", "revision": "a", "__proto__": {"key": "x"}}', /unknown key __proto__/],
  [`${'['.repeat(5_000)}${']'.repeat(5_000)}`, /change 1/],
  [
    `{"branch": "main", "revision": "a", "properties": {"a": ${'['.repeat(50_000)}${']'.repeat(50_000)}}}`,
    /properties\.a: this is no JSON/,
  ],
])('%.40s is refused with its place', (json, told) => {
  expect(() => readChanges(json)).toThrow(told);
  expect(() => readChanges(json)).toThrow(/docs\/changes\.md/);
});
