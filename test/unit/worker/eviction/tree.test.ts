import { chmod, link, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { TreeWalk } from '../../../../src/worker/eviction/tree.ts';
import { SLICE_ENTRIES } from '../../../../src/worker/eviction/work-limits.ts';

vi.setConfig({ testTimeout: 60_000 });

let dir: string;
let tree: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-tree-'));
  tree = join(dir, 'tree');
  await mkdir(join(tree, 'a', 'b'), { recursive: true });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const walk = (signal = new AbortController().signal): TreeWalk => new TreeWalk(systemClock, signal);

test('a tree goes with all that is in it, and nothing that it points to', async () => {
  await mkdir(join(dir, 'outside'));
  await writeFile(join(dir, 'outside', 'kept'), 'kept');
  await symlink(join(dir, 'outside'), join(tree, 'a', 'link'));
  await symlink(join(dir, 'outside', 'kept'), join(tree, 'a', 'b', 'file'));
  await writeFile(join(tree, 'a', 'fixed'), '');
  await chmod(join(tree, 'a'), 0o500);
  await walk().remove(tree);
  expect(await readdir(dir)).toEqual(['outside']);
  expect(await readdir(join(dir, 'outside'))).toEqual(['kept']);
});

test('a tree is measured in bytes on the disk, a file with two names once, and what a link points to not at all', async () => {
  await writeFile(join(dir, 'large'), Buffer.alloc(1_000_000, 1));
  await symlink(join(dir, 'large'), join(tree, 'link'));
  const empty = await walk().measure(tree);
  await writeFile(join(tree, 'a', 'one'), Buffer.alloc(500_000, 1));
  await link(join(tree, 'a', 'one'), join(tree, 'a', 'b', 'other'));
  const bytes = (await walk().measure(tree)) - empty;
  expect(bytes).toBeGreaterThanOrEqual(500_000);
  expect(bytes).toBeLessThan(600_000);
});

test('a walk through many entries pauses, lets the process do other things, and ends when it is told to', async () => {
  const many = join(tree, 'many');
  await mkdir(many);
  for (let n = 0; n < 2.5 * SLICE_ENTRIES; n++) await writeFile(join(many, String(n)), '');
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  try {
    await walk().measure(tree);
  } finally {
    clearInterval(timer);
  }
  expect(turns).toBeGreaterThan(2);
  const over = new AbortController();
  over.abort(new Error('the worker stops'));
  await expect(walk(over.signal).remove(tree)).rejects.toThrow('the worker stops');
  expect(await readdir(many)).toHaveLength(2.5 * SLICE_ENTRIES);
});
