import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import type { Logger } from '../../../../src/base/logger.ts';
import { openPeople } from '../../../../src/master/people/people.ts';
import type { People } from '../../../../src/master/people/people.ts';
import { openStore } from '../../../../src/store/open-store.ts';
import type { Store } from '../../../../src/store/store.ts';
import { makeKeyPair } from '../../../../src/transport/keys.ts';
import { until } from '../../../support/until.ts';

let folder: string;
let keysDir: string;
let store: Store;
let people: People | undefined;
let warnings: string[];
const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'people-'));
  keysDir = join(folder, 'keys');
  warnings = [];
  for (const role of ['workers', 'readers', 'developers', 'operators']) {
    await mkdir(join(keysDir, role), { recursive: true });
  }
  store = await openStore({
    file: join(folder, 'store.sqlite'),
    archiveDir: join(folder, 'logs'),
    logger: silentLogger,
    clock: systemClock,
  });
});

afterEach(async () => {
  await people?.close();
  people = undefined;
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const anna = makeKeyPair('anna');
const berta = makeKeyPair('berta');

async function open(): Promise<People> {
  people = await openPeople({ store, keysDir, clock: systemClock, logger });
  return people;
}

/** By rename, as a careful administrator does: nobody sees half a file. */
async function put(path: string, ...lines: readonly string[]): Promise<void> {
  const beside = join(folder, 'beside');
  await writeFile(beside, lines.map((line) => `${line}\n`).join(''));
  await rename(beside, join(keysDir, path));
}

function isIn(name: string, key = anna): boolean {
  return 'role' in people!.authenticate(name, key.publicKey);
}

describe('people', () => {
  it('lets in the keys of files that are there at the start, under their own name only', async () => {
    await put('developers/anna.pub', anna.publicKeyLine, '# the old one', berta.publicKeyLine);
    await open();
    expect(people?.authenticate('anna', anna.publicKey)).toMatchObject({ name: 'anna', role: 'developer' });
    expect(isIn('anna', berta)).toBe(true);
    expect(isIn('berta', berta)).toBe(false);
    expect(isIn('anna', makeKeyPair('stranger'))).toBe(false);
  });

  it('follows files that are added, changed and removed, and tells of lost keys', async () => {
    await open();
    const removed: string[] = [];
    people?.onRemoved((name) => removed.push(name));
    await put('workers/sid.pub', anna.publicKeyLine);
    await until('the new key is let in', () => isIn('sid'));
    await put('workers/sid.pub', anna.publicKeyLine, berta.publicKeyLine);
    await until('the second key is let in', () => isIn('sid', berta));
    expect(removed).toEqual([]);
    await put('workers/sid.pub', berta.publicKeyLine);
    await until('the first key is refused', () => !isIn('sid'));
    expect(isIn('sid', berta)).toBe(true);
    expect(removed).toEqual(['sid']);
    await unlink(join(keysDir, 'workers/sid.pub'));
    await until('the worker is refused', () => !isIn('sid', berta));
    expect(removed).toEqual(['sid', 'sid']);
    expect(await store.principals.list()).toEqual([]);
  });

  it('forgets whoever lost a key file while no master ran', async () => {
    await put('readers/anna.pub', anna.publicKeyLine);
    await open();
    await people?.close();
    await unlink(join(keysDir, 'readers/anna.pub'));
    await open();
    expect(isIn('anna')).toBe(false);
  });

  it('warns once of each file that is no key file, and lets nobody in by it', async () => {
    execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', join(keysDir, 'workers/pipe.pub')]);
    await put('secret.pub', anna.publicKeyLine);
    await put('workers/not-a-key.pub', 'hello');
    await put('workers/private.pub', anna.privateKey);
    await put('workers/huge.pub', 'x'.repeat(1024 * 1024));
    await put('workers/noname', anna.publicKeyLine);
    await put('workers/.hidden.pub', anna.publicKeyLine);
    await mkdir(join(keysDir, 'workers/folder.pub'));
    await symlink(join(keysDir, 'secret.pub'), join(keysDir, 'workers/link.pub'));
    await symlink('/nowhere/at/all', join(keysDir, 'workers/dangling.pub'));
    await put('workers/good.pub', anna.publicKeyLine);
    await symlink('good.pub', join(keysDir, 'workers/alias.pub'));
    await open();
    expect(people?.list().map(({ name }) => name)).toEqual(['alias', 'good']);
    const faulty = ['pipe', 'not-a-key', 'private', 'huge', 'noname', 'folder', 'link', 'dangling'];
    for (const name of faulty) {
      expect(warnings.filter((line) => line.includes(`workers/${name}`))).toHaveLength(1);
    }
    expect(warnings).toHaveLength(faulty.length);
    await put('workers/later.pub', berta.publicKeyLine);
    await until('the later file is read', () => isIn('later', berta));
    expect(warnings).toHaveLength(faulty.length);
  });

  it('lets nobody in by a file whose keys were taken out of it', async () => {
    await put('operators/anna.pub', anna.publicKeyLine);
    await open();
    await put('operators/anna.pub');
    await until('the key is refused', () => !isIn('anna'));
  });

  it('refuses one name in two roles with a line that names both files; who was there first stays', async () => {
    await put('readers/twice.pub', anna.publicKeyLine);
    await put('operators/twice.pub', anna.publicKeyLine);
    await put('readers/first.pub', anna.publicKeyLine);
    await open();
    expect(isIn('twice')).toBe(false);
    const line = warnings.find((warning) => warning.includes('twice.pub'));
    expect(line).toContain(join(keysDir, 'readers/twice.pub'));
    expect(line).toContain(join(keysDir, 'operators/twice.pub'));
    await put('operators/first.pub', berta.publicKeyLine);
    await until('the warning', () => warnings.some((warning) => warning.includes('operators/first.pub')));
    expect(people?.authenticate('first', anna.publicKey)).toMatchObject({ role: 'reader' });
    expect(isIn('first', berta)).toBe(false);
    await unlink(join(keysDir, 'readers/first.pub'));
    await until('the other role is taken', () => isIn('first', berta));
  });

  it('moves a name to another role and ends what it had', async () => {
    await put('operators/anna.pub', anna.publicKeyLine);
    await open();
    const removed: string[] = [];
    people?.onRemoved((name) => removed.push(name));
    await rename(join(keysDir, 'operators/anna.pub'), join(keysDir, 'readers/anna.pub'));
    await until('the role is lower', () => people?.list().some(({ role }) => role === 'reader'));
    expect(removed).toContain('anna');
  });

  it('keeps a revoked worker out whatever its file does, until it is added again', async () => {
    await put('workers/sid.pub', anna.publicKeyLine);
    await open();
    const removed: string[] = [];
    people?.onRemoved((name) => removed.push(name));
    await people?.revokeWorker('sid');
    expect(isIn('sid')).toBe(false);
    expect(removed).toEqual(['sid']);
    await put('workers/sid.pub', anna.publicKeyLine, berta.publicKeyLine);
    await put('workers/other.pub', anna.publicKeyLine);
    await until('a later file is read', () => isIn('other'));
    expect(isIn('sid')).toBe(false);
    expect(isIn('sid', berta)).toBe(false);
    await people?.addWorker('sid', [berta.publicKey]);
    expect(isIn('sid', berta)).toBe(true);
    expect(isIn('sid')).toBe(false);
  });

  it('refuses to add a worker under a name that is taken, and to revoke what is no worker', async () => {
    await put('developers/anna.pub', anna.publicKeyLine);
    await open();
    await expect(people?.addWorker('anna', [anna.publicKey])).rejects.toMatchObject({ code: 'conflict' });
    await expect(people?.revokeWorker('anna')).rejects.toMatchObject({ code: 'conflict' });
    await expect(people?.revokeWorker('nobody')).rejects.toMatchObject({ code: 'not-found' });
    await expect(people?.addWorker('../x', [anna.publicKey])).rejects.toMatchObject({ code: 'usage' });
    await people?.addWorker('new', [berta.publicKey]);
    await people?.close();
    await open();
    expect(isIn('new', berta)).toBe(true);
  });
});
