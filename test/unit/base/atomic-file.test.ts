import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomic } from '../../../src/base/atomic-file.ts';
import { errorCode } from '../../../src/base/errors.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomic-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('an atomic write', () => {
  it('replaces the file with its mode and leaves nothing else behind', async () => {
    const path = join(folder, 'key');
    await writeFile(path, 'old and longer', { mode: 0o644 });
    await writeFileAtomic(path, 'new', 0o600);
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['key']);
  });

  it('of several at once leaves one of them, whole', async () => {
    const path = join(folder, 'state');
    const contents = Array.from({ length: 8 }, (_, i) => String(i).repeat(50_000));
    await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
    expect(contents).toContain(await readFile(path, 'utf8'));
    expect(await readdir(folder)).toEqual(['state']);
  });

  it('that fails keeps what was there, tells why and takes its temporary file away', async () => {
    const path = join(folder, 'taken');
    await writeFileAtomic(join(folder, 'other'), 'x');
    // A folder in the place of the file: the rename fails.
    await mkdir(join(path, 'inside'), { recursive: true });
    const error = await writeFileAtomic(path, 'y').catch((error: unknown) => error);
    expect(errorCode(error)).toMatch(/EISDIR|ENOTEMPTY|EEXIST/);
    expect((await readdir(folder)).toSorted()).toEqual(['other', 'taken']);
  });
});
