import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { until } from '../../support/until.ts';
import { commit, git, gotRevision, place } from './checkout-place.ts';
import type { Place } from './checkout-place.ts';
import { temporaryFolder } from './try-config.ts';

// Threads and processes are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

const SUCCESS = { result: 'success' };

interface Worker {
  /** Of its builds. */
  readonly env: Record<string, string>;
  /** Adds a builder, of the repository of another if one is given. */
  add(options?: string, repository?: string): Promise<Place>;
  /** The only one in its cache. */
  entry(): Promise<string>;
  /** How often objects went over the network. */
  packs(): Promise<number>;
}

async function worker(): Promise<Worker> {
  const root = await temporaryFolder();
  const cache = join(root, 'cache');
  const [hook, count, config] = [join(root, 'hook'), join(root, 'count'), join(root, 'config')];
  await mkdir(cache);
  await writeFile(count, '');
  await writeFile(hook, `#!/bin/sh\necho pack >> '${count}'\nexec "$@"\n`);
  await chmod(hook, 0o700);
  await writeFile(config, `[uploadpack]\n\tpackObjectsHook = ${hook}\n`);
  const env = { TRUNKLINE_CACHE: cache, GIT_CONFIG_GLOBAL: config };
  return {
    env,
    add: (options, repository) => place(options, { env, ...(repository !== undefined && { repository }) }),
    async entry() {
      const names = await readdir(join(cache, 'git'));
      expect(names).toHaveLength(1);
      return join(cache, 'git', names[0] ?? '');
    },
    packs: async () => (await readFile(count, 'utf8')).split('\n').length - 1,
  };
}

test('builders of one repository that build at once fetch each commit over the network once, and are known as users of its objects', async () => {
  const it = await worker();
  const first = await it.add();
  const others = await Promise.all(Array.from({ length: 3 }, () => it.add('', first.repository)));
  const all = [first, ...others];
  for (const text of ['one', 'two']) {
    const revision = await commit(first.repository, 'a', text);
    const before = await it.packs();
    for (const report of await Promise.all(all.map((one) => one.checkout({ revision })))) {
      expect(report).toEqual(SUCCESS);
    }
    expect(await it.packs()).toBe(before + 1);
    for (const one of all) {
      expect(gotRevision(one)).toBe(revision);
      expect(await git(one.folder, 'count-objects', '-v')).toMatch(/count: 0[^]*in-pack: 0/);
    }
  }
  const entry = await it.entry();
  const users = await readdir(join(entry, '.users'));
  const folders = await Promise.all(users.map((name) => readFile(join(entry, '.users', name), 'utf8')));
  expect(folders.sort()).toEqual(all.map(({ folder }) => `${folder}\n`).sort());
  expect((await readdir(entry)).sort()).toEqual(['.users', 'store']);
});

test('a tip is asked for by each build, and fetched once', async () => {
  const it = await worker();
  const first = await it.add();
  const second = await it.add('', first.repository);
  for (const text of ['one', 'two']) {
    const tip = await commit(first.repository, 'a', text);
    const before = await it.packs();
    for (const one of [first, second]) {
      expect(await one.checkout()).toEqual(SUCCESS);
      expect(gotRevision(one)).toBe(tip);
    }
    expect(await it.packs()).toBe(before + 1);
  }
});

test('a work tree whose objects were evicted repairs itself, and what is right in it keeps its time', async () => {
  const it = await worker();
  const one = await it.add("mode: 'incremental'");
  await commit(one.repository, 'a', 'one');
  await commit(one.repository, 'b', 'one');
  expect(await one.checkout()).toEqual(SUCCESS);
  await writeFile(join(one.folder, 'main.o'), '');
  const { mtimeMs } = await stat(join(one.folder, 'a'));
  await rm(await it.entry(), { recursive: true });
  const revision = await commit(one.repository, 'b', 'two');
  expect(await one.checkout({ revision })).toEqual(SUCCESS);
  expect(one.outputs.at(-1)).toContain('had borrowed are gone');
  expect(gotRevision(one)).toBe(revision);
  expect((await readdir(one.folder)).sort()).toEqual(['.git', 'a', 'b', 'main.o']);
  expect((await stat(join(one.folder, 'a'))).mtimeMs).toBe(mtimeMs);
  expect(await readFile(join(one.folder, 'b'), 'utf8')).toBe('two');
  expect(await git(one.folder, 'fsck')).not.toMatch(/missing|broken/);
});

test('a work tree repairs itself when its store was evicted and another build has begun it anew', async () => {
  const it = await worker();
  const one = await it.add();
  const two = await it.add('', one.repository);
  await commit(one.repository, 'a', 'one');
  await git(one.repository, 'branch', 'old');
  await git(one.repository, 'checkout', '-q', '-b', 'release');
  await commit(one.repository, 'a', 'release');
  expect(await one.checkout({ branch: 'release' })).toEqual(SUCCESS);
  await rm(await it.entry(), { recursive: true });
  expect(await two.checkout({ branch: 'old' })).toEqual(SUCCESS);
  await git(one.repository, 'checkout', '-q', 'main');
  const revision = await commit(one.repository, 'a', 'two');
  // A fork's build fetches into its own clone.
  expect(await one.checkout({ branch: 'main', revision }, true)).toEqual(SUCCESS);
  expect(one.outputs.at(-1)).toContain('had borrowed are gone');
  expect(gotRevision(one)).toBe(revision);
  expect(await git(one.folder, 'fsck')).not.toMatch(/missing|broken|invalid/);
});

test('what a patch left is cleaned away also when the objects were evicted before the next build', async () => {
  const it = await worker();
  const one = await it.add("mode: 'incremental'");
  await commit(one.repository, 'a', 'one\n');
  expect(await one.checkoutWith('echo two >> a; echo new > new')).toEqual(SUCCESS);
  await rm(await it.entry(), { recursive: true });
  expect(await one.checkout()).toEqual(SUCCESS);
  expect((await readdir(one.folder)).sort()).toEqual(['.git', 'a']);
  expect(await readFile(join(one.folder, 'a'), 'utf8')).toBe('one\n');
});

test('a build of a fork reads what others have fetched, and adds nothing to it', async () => {
  const it = await worker();
  const own = await it.add();
  const fork = await it.add('', own.repository);
  await commit(own.repository, 'a', 'one');
  // With nothing there it fetches for itself.
  expect(await fork.checkout({}, true)).toEqual(SUCCESS);
  expect(await readdir(await it.entry())).toEqual(['.users']);
  expect(await own.checkout()).toEqual(SUCCESS);
  await git(own.repository, 'checkout', '-q', '--detach');
  const evil = await commit(own.repository, 'a', 'evil');
  await git(own.repository, 'update-ref', 'refs/pull/7/head', evil);
  expect(await fork.checkout({ branch: 'refs/pull/7/head', revision: evil }, true)).toEqual(SUCCESS);
  expect(gotRevision(fork)).toBe(evil);
  const objects = await git(join(await it.entry(), 'store'), 'cat-file', '--batch-check', '--batch-all-objects');
  expect(objects).not.toContain(evil);
  expect(objects).toContain('commit');
});

test('who fetches for all is waited for; one that was killed meanwhile is not', async () => {
  const it = await worker();
  const bin = await temporaryFolder();
  await writeFile(join(bin, 'sleep'), `#!/bin/sh\necho waits >> '${bin}/waits'\nexec /bin/sleep "$@"\n`);
  await chmod(join(bin, 'sleep'), 0o700);
  it.env['PATH'] = `${bin}:${process.env['PATH'] ?? ''}`;
  const one = await it.add();
  const revision = await commit(one.repository, 'a', 'one');
  const other = spawn('sleep', ['600'], { stdio: 'ignore' });
  try {
    const pid = String(other.pid);
    const born = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[19] ?? '';
    await one.checkout({ revision });
    const entry = await it.entry();
    await rm(join(entry, 'store'), { recursive: true });
    await symlink(`${pid}:${born}`, join(entry, 'lock'));
    let isDone = false;
    const checkout = one.checkout({ revision }).finally(() => (isDone = true));
    await until('it waits', () => existsSync(join(bin, 'waits')));
    expect(isDone).toBe(false);
    other.kill('SIGKILL');
    expect(await checkout).toEqual(SUCCESS);
    expect(one.outputs.at(-1)).toContain(`waiting for process ${pid}, which fetches`);
    // Another process has its number by now.
    await rm(join(entry, 'store'), { recursive: true });
    await symlink(`${process.pid}:1`, join(entry, 'lock'));
    expect(await one.checkout({ revision })).toEqual(SUCCESS);
    expect((await readdir(entry)).sort()).toEqual(['.users', 'store']);
  } finally {
    other.kill('SIGKILL');
  }
});

test('what a killed git left in a store is in nobody’s way, and takes no room for ever', async () => {
  const it = await worker();
  const one = await it.add();
  await commit(one.repository, 'a', 'one');
  expect(await one.checkout()).toEqual(SUCCESS);
  const store = join(await it.entry(), 'store');
  const refs = join(store, 'refs/trunkline');
  const [ref = ''] = await readdir(refs);
  await writeFile(join(refs, `${ref}.lock`), '');
  const [old, young] = ['old', 'young'].map((name) => join(store, 'objects/pack', `tmp_pack_${name}`));
  for (const file of [old!, young!]) await writeFile(file, 'half');
  const before = Date.now() / 1_000 - 3 * 86_400;
  await utimes(old!, before, before);
  const revision = await commit(one.repository, 'a', 'two');
  expect(await one.checkout()).toEqual(SUCCESS);
  expect(await git(store, 'cat-file', '-t', revision)).toBe('commit');
  expect(await readdir(refs)).toEqual([ref]);
  expect([existsSync(old!), existsSync(young!)]).toEqual([false, true]);
});

test('a damaged store is done without, and named', async () => {
  const it = await worker();
  const one = await it.add();
  const two = await it.add('', one.repository);
  const revision = await commit(one.repository, 'a', 'one');
  expect(await one.checkout({ revision })).toEqual(SUCCESS);
  const packs = join(await it.entry(), 'store/objects/pack');
  for (const name of await readdir(packs)) {
    await chmod(join(packs, name), 0o600);
    if (name.endsWith('.pack')) await truncate(join(packs, name), 40);
  }
  expect(await two.checkout({ revision }), two.outputs.at(-1)).toEqual(SUCCESS);
  expect(gotRevision(two)).toBe(revision);
});

test('a repository that cannot be reached is no fault of the store: what is there is built, all else is told as without one', async () => {
  const it = await worker();
  const one = await it.add();
  const two = await it.add('', one.repository);
  const revision = await commit(one.repository, 'a', 'one');
  expect(await one.checkout({ revision })).toEqual(SUCCESS);
  await rename(one.repository, `${one.repository}-away`);
  expect(await two.checkout({ revision })).toEqual(SUCCESS);
  const summary = `could not fetch from ${one.repository} (3 tries)`;
  expect(await two.checkout({ revision: 'f'.repeat(40) })).toEqual({ result: 'failure', summary });
});

test('many packs are joined, and no object goes that a work tree may borrow, also of a branch that was rewritten', async () => {
  const it = await worker();
  const one = await it.add();
  const old = await commit(one.repository, 'a', 'one');
  expect(await one.checkout()).toEqual(SUCCESS);
  const store = join(await it.entry(), 'store');
  const objects: string[] = [];
  for (let n = 0; n < 51; n++) {
    await appendFile(join(one.folder, 'text'), `${n}\n`);
    const object = await git(store, 'hash-object', '-w', join(one.folder, 'text'));
    objects.push(object);
    await writeFile(join(store, 'names'), `${object}\n`);
    await git(store, '-c', `alias.pack=!git pack-objects -q "$PWD/objects/pack/pack" < names`, 'pack');
    await rm(join(store, 'objects', object.slice(0, 2)), { recursive: true });
  }
  await git(one.repository, 'commit', '-q', '--amend', '-m', 'anew');
  const revision = await git(one.repository, 'rev-parse', 'HEAD');
  expect(await one.checkout()).toEqual(SUCCESS);
  expect(gotRevision(one)).toBe(revision);
  const packs = (await readdir(join(store, 'objects/pack'))).filter((name) => name.endsWith('.pack'));
  expect(packs).toHaveLength(1);
  const all = await git(store, 'cat-file', '--batch-check', '--batch-all-objects');
  for (const object of [old, revision, ...objects]) expect(all).toContain(object);
});

test('what is shallow, filtered or not to be shared shares nothing', async () => {
  const it = await worker();
  const one = await it.add('cache: false');
  const two = await it.add('shallow: true', one.repository);
  const three = await it.add("filter: 'blob:none'", one.repository);
  await commit(one.repository, 'a', 'one');
  for (const place of [one, two, three]) expect(await place.checkout()).toEqual(SUCCESS);
  expect(await readdir(it.env['TRUNKLINE_CACHE'] ?? '')).toEqual([]);
});
