import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { sleep } from '../../../../src/base/sleep.ts';
import { ArtifactFolder } from '../../../../src/master/artifacts/artifact-folder.ts';
import { isArtifactName } from '../../../../src/model/artifact.ts';
import { TempStore, claimedBuild } from '../../../support/temp-store.ts';
import type { Store } from '../../../../src/store/store.ts';

/** Time to keep a small file, if nothing is in the way. */
const LONG_ENOUGH_MS = 200;

let temp: TempStore;
let store: Store;
let dir: string;
beforeEach(async () => {
  temp = await TempStore.make();
  store = await temp.open();
  dir = await mkdtemp(join(tmpdir(), 'tl-artifacts-'));
});
afterEach(async () => {
  await temp.remove();
  await rm(dir, { recursive: true, force: true });
});

const open = (): Promise<ArtifactFolder> => ArtifactFolder.open(join(dir, 'artifacts'), store.artifacts);
const blobs = async (): Promise<readonly string[]> =>
  (await readdir(join(dir, 'artifacts'), { recursive: true })).filter((name) => name.includes('/'));

async function file(content: string): Promise<string> {
  const path = join(dir, `file-${createHash('sha1').update(content).digest('hex')}`);
  await writeFile(path, content);
  return path;
}

test('a content is there once, by its hash, whoever says what it is', async () => {
  const folder = await open();
  const one = await folder.add(await file('content'));
  const two = await folder.add(await file('content'));
  expect(one).toMatchObject({ size: 7, sha256: createHash('sha256').update('content').digest('hex') });
  expect(two.sha256).toBe(one.sha256);
  expect(await blobs()).toHaveLength(1);
  expect(await readFile(await folder.existing(one.sha256), 'utf8')).toBe('content');
  await expect(folder.existing('0'.repeat(64))).rejects.toThrow('keeps its bytes no more');
});

test('what a killed master left without a row is removed at a start, and nothing that has one', async () => {
  const { id: buildId, project, builder } = await claimedBuild(store);
  const folder = await open();
  const { sha256, size } = await folder.add(await file('kept'));
  await store.artifacts.add({ buildId, project, builder, step: 0, name: 'a', sha256, size, keptAtMs: 1 });
  await folder.add(await file('orphan'));
  await writeFile(`${folder.path(sha256)}.tmp`, 'half a copy');
  await mkdir(join(dir, 'artifacts', 'ff'), { recursive: true });
  await writeFile(join(dir, 'artifacts', '.a-disk-of-its-own'), '');
  await writeFile(join(dir, 'artifacts', 'ff', 'notes.txt'), 'somebody’s own');
  expect(await blobs()).toHaveLength(4);
  await open();
  expect((await blobs()).toSorted()).toEqual(['ff/notes.txt', `${sha256.slice(0, 2)}/${sha256.slice(2)}`].toSorted());
});

test('what is about to get its row is not removed', async () => {
  const folder = await open();
  const one = await folder.add(await file('x'));
  const two = await folder.add(await file('x'));
  one.settled();
  await folder.removeUnused([one.sha256]);
  expect(await blobs()).toHaveLength(1);
  two.settled();
  await folder.removeUnused([one.sha256]);
  expect(await blobs()).toEqual([]);
});

test('a content that is kept again while it is looked up for removal is there with its row', async () => {
  const { id: buildId, project, builder } = await claimedBuild(store);
  let again: Promise<void> | undefined;
  const folder = await ArtifactFolder.open(join(dir, 'artifacts'), {
    async referenced(hashes) {
      const used = await store.artifacts.referenced(hashes);
      // The answer is old when it comes: meanwhile somebody keeps the same, if nothing holds him up.
      again ??= keepAgain();
      await Promise.race([again, sleep(systemClock, LONG_ENOUGH_MS)]);
      return used;
    },
  });
  const keepAgain = async (): Promise<void> => {
    const { sha256, size, settled } = await folder.add(await file('x'));
    await store.artifacts.add({ buildId, project, builder, step: 0, name: 'a', sha256, size, keptAtMs: 1 });
    settled();
  };
  const first = await folder.add(await file('x'));
  first.settled();
  await folder.removeUnused([first.sha256]);
  await again;
  expect(await store.artifacts.find(buildId, 'a')).toBeDefined();
  expect(await readFile(await folder.existing(first.sha256), 'utf8')).toBe('x');
});

test('whatever is kept and given up at once, each row has its bytes and no others are left', async () => {
  const folder = await open();
  const { project, builder } = await claimedBuild(store);
  const contents = await Promise.all(['x', 'y', 'z'].map(file));
  const round = async (): Promise<void> => {
    const { id: buildId } = await claimedBuild(store);
    for (const [nth, path] of contents.entries()) {
      const { sha256, size, settled } = await folder.add(path);
      await store.artifacts.add({ buildId, project, builder, step: 0, name: `a${nth}`, sha256, size, keptAtMs: 1 });
      settled();
      expect(await readFile(folder.path(sha256), 'utf8')).toHaveLength(1);
    }
    await folder.removeUnused(await store.artifacts.removeOf(buildId));
  };
  for (let n = 0; n < 20; n += 1) await Promise.all([round(), round(), round(), round()]);
  expect(await blobs()).toEqual([]);
});

test('a name is taken once while it is about to be stored', async () => {
  const folder = await open();
  const free = folder.reserve(1, 'a');
  expect(folder.reserve(1, 'a')).toBeUndefined();
  expect(folder.reserve(2, 'a')).toBeDefined();
  free?.();
  expect(folder.reserve(1, 'a')).toBeDefined();
});

test.each([
  ['a', true],
  ['a/b c/ü.tar.gz', true],
  ['.hidden', true],
  ['', false],
  ['/etc/passwd', false],
  ['a/../b', false],
  ['..', false],
  ['a//b', false],
  ['a/', false],
  ['a\0b', false],
  ['a\nb', false],
  ['a\\b', false],
  ['a\u202eb', false],
  ['x'.repeat(250), true],
  ['x'.repeat(4_096), false],
])('%j is a name: %s', (name, is) => {
  expect(isArtifactName(name)).toBe(is);
});
