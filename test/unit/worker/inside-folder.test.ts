import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PathRefused, insideFolder } from '../../../src/worker/inside-folder.ts';

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'tl-in-')));
  await mkdir(join(root, 'in/deep'), { recursive: true });
  await mkdir(join(root, 'in-side'));
  await writeFile(join(root, 'in/file'), '');
  await symlink('../in-side', join(root, 'in/sibling'));
  await symlink('deep', join(root, 'in/good'));
  await symlink('/nowhere/at/all', join(root, 'in/dangling'));
  await symlink('loop', join(root, 'in/loop'));
});
afterEach(() => rm(root, { recursive: true }));

test('what is inside is found, there or not', async () => {
  const inside = join(root, 'in');
  expect(await insideFolder(inside, '')).toBe(inside);
  expect(await insideFolder(inside, './deep//x/y')).toBe(join(inside, 'deep/x/y'));
  expect(await insideFolder(inside, 'good/x')).toBe(join(inside, 'deep/x'));
  expect(await insideFolder(inside, '...')).toBe(join(inside, '...'));
  expect(await insideFolder(inside, 'dangling', { keepLink: true })).toBe(join(inside, 'dangling'));
});

test.each(['..', 'deep/../..', '/etc', 'sibling', 'sibling/x', 'dangling', 'dangling/x', 'loop/x', 'file/x', 'a\0b'])(
  '%j is refused',
  async (path) => {
    await expect(insideFolder(join(root, 'in'), path)).rejects.toThrow(PathRefused);
  },
);

test('links above the folder itself are no matter', async () => {
  await symlink('in', join(root, 'alias'));
  expect(await insideFolder(join(root, 'alias'), 'deep')).toBe(join(root, 'in/deep'));
});

test('folders that are made at the same time do not look like links', async () => {
  const names = Array.from({ length: 200 }, (_, index) => `new/a/b-${index}`);
  await Promise.all(
    names.map(async (name) => {
      await mkdir(await insideFolder(join(root, 'in'), name), { recursive: true });
    }),
  );
});
