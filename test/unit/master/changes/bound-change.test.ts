import { expect, test } from 'vitest';
import { boundChange } from '../../../../src/master/changes/bound-change.ts';

const WISH = { branch: 'main', revision: 'abc' };

test('what is only read is cut, and says so', () => {
  const bound = boundChange({
    ...WISH,
    author: ` ${'a'.repeat(1_000)} `,
    committer: 'b'.repeat(1_000),
    comments: 'c'.repeat(100_000),
    files: ['x'.repeat(5_000), ...Array.from({ length: 1_500 }, (_, n) => `f${n}`)],
  });
  expect(bound.author).toMatch(/^a{300}… \(cut, it had 1000 characters\)$/);
  expect(bound.committer).toMatch(/^b{300}… \(cut, it had 1000 characters\)$/);
  expect(bound.comments).toMatch(/^c{16384}… \(cut, it had 100000 characters\)$/);
  expect(bound.files).toHaveLength(1_000);
  expect(bound.files[0]).toBe('f0');
  expect(bound.filesLeftOut).toBe(501);
  const long = boundChange({ ...WISH, files: Array.from({ length: 100 }, () => 'y'.repeat(4_000)) });
  expect(long.files.length * 4_000).toBeLessThanOrEqual(128 * 1024);
  expect(long.files.length + long.filesLeftOut).toBe(100);
});

test('what decides what is built is refused when it is none', () => {
  for (const wrong of [
    { branch: '-x' },
    { branch: '' },
    { branch: 'a b' },
    { branch: 'refs/heads/' },
    { revision: '--upload-pack=x' },
    { revision: '' },
    { category: '' },
    { category: 'x'.repeat(101) },
    { codebase: '' },
    { codebase: 'x'.repeat(101) },
    { revlink: 'javascript:alert(1)' },
    { revlink: 'https://ann:secret@example.org/' },
    { revlink: 'https://example.org/\n' },
    { revlink: `https://example.org/${'x'.repeat(2_000)}` },
    { key: '' },
    { key: 'x'.repeat(201) },
    { properties: { 'a b': 1 } },
  ]) {
    expect(() => boundChange({ ...WISH, ...wrong }), JSON.stringify(wrong)).toThrow(
      expect.objectContaining({ code: 'usage' }),
    );
  }
});

test('a change is named by branch and revision, or by its key, and never by both', () => {
  expect(boundChange({ ...WISH, branch: 'refs/heads/main' })).toEqual(boundChange(WISH));
  const keys = [
    WISH,
    { ...WISH, branch: 'other' },
    { ...WISH, revision: 'abd' },
    { ...WISH, key: 'revision main abc' },
    { ...WISH, key: 'main abc' },
  ].map((wish) => boundChange(wish).key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(boundChange({ branch: 'x', revision: 'y', key: 'k' }).key).toBe(boundChange({ ...WISH, key: 'k' }).key);
});
