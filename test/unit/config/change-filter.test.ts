import { expect, test } from 'vitest';
import { z } from 'zod';
import type { ChangeFilterOptions } from '../../../src/config/change-filter.ts';
import { changeFilterFields, changeFilterShape } from '../../../src/config/change-filter-schema.ts';

const schema = z.strictObject(changeFilterFields);
const shape = (options: ChangeFilterOptions) => changeFilterShape(schema.parse(options));
const mistakes = (options: unknown): readonly string[] =>
  schema.safeParse(options).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

test('a filter becomes plain data, its functions are seen by their code', () => {
  expect(shape({})).toEqual({ hasFilter: false, hasFileIsImportant: false });
  expect(shape({ branch: 'main', files: ['src/**', '!src/doc/**'], author: /@example\.org>$/gi, tags: true })).toEqual({
    branch: { any: [{ is: 'main' }], none: [] },
    files: { any: [{ glob: 'src/**' }], none: [{ glob: 'src/doc/**' }] },
    author: { any: [{ regex: '@example\\.org>$', flags: 'i' }], none: [] },
    tags: { any: [], none: [] },
    hasFilter: false,
    hasFileIsImportant: false,
  });
  const one = shape({ filter: ({ branch }) => branch === 'a', fileIsImportant: 'src/**' });
  expect(one).toMatchObject({
    hasFilter: true,
    hasFileIsImportant: false,
    importantFiles: { any: [{ glob: 'src/**' }] },
  });
  const other = shape({ filter: ({ branch }) => branch === 'b', fileIsImportant: () => true });
  expect(other).toMatchObject({ hasFilter: true, hasFileIsImportant: true });
  expect(other).not.toHaveProperty('importantFiles');
  expect(one.fingerprint).toMatch(/^[0-9a-f]{16}$/);
  expect(other.fingerprint).not.toBe(one.fingerprint);
});

test('what is no filter is told with its place', () => {
  expect(mistakes({ branch: [] })).toEqual([expect.stringContaining('branch: write a text, a glob')]);
  expect(mistakes({ branch: ['main', ''] })).toEqual([expect.stringMatching(/^branch.*: write a text, a glob/)]);
  expect(mistakes({ author: 1 })).toEqual([expect.stringMatching(/^author: write a text, a glob/)]);
  expect(mistakes({ files: /src/ })).toEqual([expect.stringMatching(/^files: write a glob/)]);
  expect(mistakes({ filter: 'src' })).toEqual(['filter: give it a function']);
  expect(mistakes({ tags: false })).toEqual([expect.stringMatching(/^tags: write true/)]);
  expect(mistakes({ branch: 'x'.repeat(1_001) })).toHaveLength(1);
});
