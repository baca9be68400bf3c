import { chmod, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { checkoutMistake } from '../../../src/config/steps/checkout-options.ts';
import type { CheckoutOptions } from '../../../src/config/steps/checkout-options.ts';
import { commit, git, gotRevision, place } from './checkout-place.ts';
import type { Place } from './checkout-place.ts';
import { configOf, tryConfig } from './try-config.ts';

// Threads and processes are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

const SUCCESS = { result: 'success' };

/** What a build leaves: a file git does not know, one it ignores, one it knows that is spoilt, a folder nobody may change. */
async function spoil(folder: string): Promise<void> {
  await writeFile(join(folder, 'main.o'), 'ignored');
  await writeFile(join(folder, 'unknown'), 'unknown');
  await writeFile(join(folder, 'a'), 'spoilt');
  await mkdir(join(folder, 'fixed.o'));
  await writeFile(join(folder, 'fixed.o', 'file'), '');
  await chmod(join(folder, 'fixed.o'), 0o500);
}

test.each([
  ['', '.', ['.git', '.gitignore', 'a'], true],
  ["method: 'fresh'", '.', ['.git', '.gitignore', 'a'], true],
  ["method: 'clean'", '.', ['.git', '.gitignore', 'a', 'fixed.o', 'main.o'], true],
  ["method: 'clobber'", '.', ['.git', '.gitignore', 'a'], false],
  ["mode: 'incremental'", '.', ['.git', '.gitignore', 'a', 'fixed.o', 'main.o', 'unknown'], true],
  ["method: 'copy', path: 'deep/tree'", 'deep/tree', ['.git', '.gitignore', 'a'], false],
])('with %s stays what it says', async (options, path, stays, hasOldGit) => {
  const it = await place(options);
  await commit(it.repository, '.gitignore', '*.o\n');
  await commit(it.repository, 'a', 'one');
  expect(await it.checkout()).toEqual(SUCCESS);
  const tree = join(it.folder, path);
  await spoil(tree);
  await writeFile(join(tree, '.git/of-the-last-build'), '');
  const second = await commit(it.repository, 'a', 'two');
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(gotRevision(it)).toBe(second);
  expect((await readdir(tree)).sort()).toEqual(stays);
  expect(await readFile(join(tree, 'a'), 'utf8')).toBe('two');
  expect((await readdir(join(tree, '.git'))).includes('of-the-last-build')).toBe(hasOldGit);
});

test('a copy is made of a clone that no build has touched, fetches what is new alone, and nothing of a copy cut short stays', async () => {
  const it = await place("method: 'copy', path: 'tree'");
  await commit(it.repository, 'a', 'one');
  expect(await it.checkoutWith('echo patched >> a')).toEqual(SUCCESS);
  expect(await readFile(join(it.folder, 'tree/a'), 'utf8')).toBe('onepatched\n');
  expect(await readFile(join(it.folder, 'tree.pristine/a'), 'utf8')).toBe('one');
  const { ino } = await stat(join(it.folder, 'tree.pristine/a'));
  await rm(join(it.folder, 'tree/a'));
  await rm(join(it.folder, 'tree/.git'), { recursive: true });
  expect(await it.checkout()).toEqual(SUCCESS);
  expect((await readdir(join(it.folder, 'tree'))).sort()).toEqual(['.git', 'a']);
  expect(await readFile(join(it.folder, 'tree/a'), 'utf8')).toBe('one');
  expect((await stat(join(it.folder, 'tree.pristine/a'))).ino).toBe(ino);
});

test.each([
  ["method: 'clean'", '.'],
  ["method: 'clobber'", '.'],
  ["method: 'copy', path: 'tree'", 'tree'],
  ['shallow: true', '.'],
  ['submodules: true', '.'],
])('with %s a patch is put on top, and nothing of it is left for the next build', async (options, path) => {
  const it = await place(options);
  await commit(it.repository, '.gitignore', '*.o\n');
  await commit(it.repository, 'a', 'one\n');
  expect(await it.checkoutWith('echo two >> a; echo new > new')).toEqual(SUCCESS);
  const tree = join(it.folder, path);
  expect(await readFile(join(tree, 'a'), 'utf8')).toBe('one\ntwo\n');
  await writeFile(join(tree, 'main.o'), 'made from the patch');
  expect(await it.checkout()).toEqual(SUCCESS);
  expect((await readdir(tree)).sort()).toEqual(['.git', '.gitignore', 'a']);
  expect(await git(tree, 'status', '--porcelain', '--ignored')).toBe('');
});

const commits = async (folder: string): Promise<number> => Number(await git(folder, 'rev-list', '--count', 'HEAD'));

test('a shallow checkout has as many commits as it says, and the whole history when it is not wanted shallow any more', async () => {
  const it = await place('shallow: 2');
  for (const text of ['one', 'two', 'three', 'four']) await commit(it.repository, 'a', text);
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(await commits(it.folder)).toBe(2);
  const revision = await commit(it.repository, 'a', 'five');
  expect(await it.checkout({ revision })).toEqual(SUCCESS);
  expect(await commits(it.folder)).toBe(2);
  const whole = await place('', { repository: it.repository });
  await rm(whole.folder, { recursive: true });
  await rename(it.folder, whole.folder);
  expect(await whole.checkout({ revision })).toEqual(SUCCESS);
  expect(await commits(whole.folder)).toBe(5);
});

test('a revision that its server gives by its branch alone is found by a shallow checkout as well', async () => {
  const it = await place('shallow: true');
  const first = await commit(it.repository, 'a', 'one');
  await commit(it.repository, 'a', 'two');
  expect(await it.checkout({ revision: first.slice(0, 12) })).toEqual(SUCCESS);
  expect(gotRevision(it)).toBe(first);
});

test('a filtered checkout fetches no blob that it does not need, and is repaired when it is wanted whole', async () => {
  const it = await place("filter: 'blob:none'");
  await git(it.repository, 'config', 'uploadpack.allowFilter', 'true');
  await commit(it.repository, 'a', 'one');
  const old = await git(it.repository, 'rev-parse', 'HEAD:a');
  const revision = await commit(it.repository, 'a', 'two');
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(gotRevision(it)).toBe(revision);
  const there = await git(it.folder, 'rev-list', '--objects', '--missing=print', '--all');
  expect(there).toContain(`?${old}`);
  const third = await commit(it.repository, 'a', 'three');
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(gotRevision(it)).toBe(third);
});

test('tags come when they are wanted, moved ones move and removed ones go; without the option there are none', async () => {
  const it = await place('tags: true');
  const plain = await place('', { repository: it.repository });
  await commit(it.repository, 'a', 'one');
  await git(it.repository, 'tag', 'gone');
  await git(it.repository, 'tag', 'moves');
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(await git(it.folder, 'tag')).toBe('gone\nmoves');
  const revision = await commit(it.repository, 'a', 'two');
  await git(it.repository, 'tag', '-d', 'gone');
  await git(it.repository, 'tag', '-f', 'moves');
  expect(await it.checkout({ revision })).toEqual(SUCCESS);
  expect(await git(it.folder, 'tag')).toBe('moves');
  expect(await git(it.folder, 'rev-parse', 'moves')).toBe(revision);
  expect(await plain.checkout()).toEqual(SUCCESS);
  expect(await git(plain.folder, 'tag')).toBe('');
});

function description({ calls }: Place): unknown {
  const found = calls.filter(({ kind }) => kind === 'setProperty').map(({ args }) => args as { name: string });
  return found.find(({ name }) => name === 'commit-description');
}

test('a description is what git describe says, and none where it finds nothing', async () => {
  const it = await place('getDescription: { tags: true, long: true, dirty: false }');
  await commit(it.repository, 'a', 'one');
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(description(it)).toBe(undefined);
  await git(it.repository, 'tag', 'v1.0');
  const revision = await commit(it.repository, 'a', 'two');
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(description(it)).toEqual({ name: 'commit-description', value: `v1.0-1-g${revision.slice(0, 7)}` });
});

/** A repository `top` with a submodule `part`, and in that one `inner`. Resolves to the place and their repositories. */
async function nested(): Promise<{ readonly it: Place; readonly part: string; readonly inner: string }> {
  const it = await place("submodules: true, config: { 'protocol.file.allow': 'always' }");
  const [part, inner] = [join(it.repository, '../part'), join(it.repository, '../inner')];
  const allow = ['-c', 'protocol.file.allow=always'];
  for (const [repository, within] of [
    [inner, undefined],
    [part, inner],
    [it.repository, part],
  ] as const) {
    if (repository !== it.repository) {
      await mkdir(repository);
      await git(repository, 'init', '-q', '-b', 'main');
    }
    if (within !== undefined) await git(repository, ...allow, 'submodule', 'add', '-q', within, 'sub');
    await commit(repository, 'file', repository);
  }
  return { it, part, inner };
}

test('submodules are checked out with those in them, and cleaned as the tree is', async () => {
  const { it, inner } = await nested();
  expect(await it.checkout()).toEqual(SUCCESS);
  const deep = join(it.folder, 'sub/sub');
  expect(await readFile(join(deep, 'file'), 'utf8')).toBe(inner);
  await writeFile(join(deep, 'file'), 'spoilt');
  await writeFile(join(deep, 'main.o'), '');
  await writeFile(join(it.folder, '.git/modules/sub/index.lock'), 'a git that was killed');
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(await readFile(join(deep, 'file'), 'utf8')).toBe(inner);
  expect((await readdir(deep)).sort()).toEqual(['.git', 'file']);
});

test('submodules that have moved are followed, also one within another', async () => {
  const { it, part, inner } = await nested();
  expect(await it.checkout()).toEqual(SUCCESS);
  const moved = async (from: string, user: string): Promise<string> => {
    await rename(from, `${from}-moved`);
    await git(user, 'config', '-f', '.gitmodules', 'submodule.sub.url', `${from}-moved`);
    await git(user, 'submodule', '--quiet', 'sync');
    return `${from}-moved`;
  };
  const newInner = await moved(inner, part);
  const tip = await commit(newInner, 'file', 'new');
  await git(join(part, 'sub'), 'fetch', '-q', newInner, tip);
  await git(join(part, 'sub'), 'checkout', '-q', tip);
  const tipOfPart = await commit(part, 'more', 'more');
  const newPart = await moved(part, it.repository);
  await git(join(it.repository, 'sub'), 'fetch', '-q', newPart, tipOfPart);
  await git(join(it.repository, 'sub'), 'checkout', '-q', tipOfPart);
  await commit(it.repository, 'more', 'more');
  expect(await it.checkout(), it.outputs.at(-1)).toEqual(SUCCESS);
  expect(await readFile(join(it.folder, 'sub/sub/file'), 'utf8')).toBe('new');
});

test('a submodule that is gone fails the step, which says so', async () => {
  const { it, inner } = await nested();
  await rm(inner, { recursive: true });
  const report = await it.checkout();
  expect(report).toEqual({ result: 'failure', summary: 'a submodule could not be checked out (3 tries): see the log' });
  expect(it.outputs.at(-1)).toMatch(/clone of '.*inner' into submodule path '.*sub\/sub' failed/);
});

test('it is tried again as often as it says, after so long', async () => {
  const it = await place("retry: { times: 1, delay: '1m' }");
  await rm(it.repository, { recursive: true });
  const summary = `could not fetch from ${it.repository} (2 tries)`;
  expect(await it.checkout()).toEqual({ result: 'failure', summary });
  const waits = it.calls.map((call) => (call.kind === 'run' ? call.args.command.at(-1) : call.kind));
  expect(waits).toEqual(['wait=0', 'wait=60']);
});

test.each([[true], [false]])(
  'a repository that is damaged is made anew in an empty folder, if wanted (%s)',
  async (isWanted) => {
    const it = await place(`mode: 'incremental', clobberOnFailure: ${isWanted}`);
    await commit(it.repository, 'a', 'one');
    expect(await it.checkout()).toEqual(SUCCESS);
    await writeFile(join(it.folder, 'main.o'), '');
    await writeFile(join(it.folder, '.git/index'), 'nonsense');
    await commit(it.repository, 'a', 'two');
    expect(await it.checkout()).toMatchObject({ result: isWanted ? 'success' : 'failure' });
    if (isWanted) expect((await readdir(it.folder)).sort()).toEqual(['.git', 'a']);
  },
);

test('objects are borrowed from a repository on the worker, one that is gone is done without', async () => {
  const source = await place();
  await commit(source.repository, 'a', 'one');
  const reference = join(source.folder, '../reference');
  await git(source.folder, 'clone', '-q', '--bare', source.repository, reference);
  const it = await place(`reference: ${JSON.stringify(reference)}, origin: 'upstream', config: { 'user.name': 'x' }`, {
    repository: source.repository,
  });
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(await git(it.folder, 'remote', '-v')).toContain(`upstream\t${source.repository}`);
  expect(await git(it.folder, 'count-objects', '-v')).toContain('in-pack: 0');
  expect(await git(it.folder, 'count-objects', '-v')).toContain('count: 0');
  await rm(reference, { recursive: true });
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(it.outputs.at(-1)).toContain(`no repository to borrow from: ${reference}`);
  expect(await git(it.folder, 'fsck')).not.toContain('missing');
});

test('settings of git hold for what it runs', async () => {
  const it = await place(
    "url: 'https://nowhere.example/kate.git', branch: (ctx) => 'main', config: { 'url.REAL.insteadOf': () => 'https://nowhere.example/kate.git' }",
  );
  expect(await it.checkout()).toMatchObject({ result: 'failure' });
  const revision = await commit(it.repository, 'a', 'one');
  const real = await place(
    `url: () => 'https://nowhere.example/kate.git', config: { 'url.${it.repository}.insteadOf': 'https://nowhere.example/kate.git' }`,
  );
  expect(await real.checkout({})).toEqual(SUCCESS);
  expect(await git(real.folder, 'rev-parse', 'HEAD')).toBe(revision);
});

test('the tip of the branch is built whatever revision was asked for, if wanted', async () => {
  const it = await place('alwaysUseLatest: true');
  const revision = await commit(it.repository, 'a', 'one');
  const tip = await commit(it.repository, 'a', 'two');
  expect(await it.checkout({ branch: 'main', revision })).toEqual(SUCCESS);
  expect(gotRevision(it)).toBe(tip);
});

test.each(['alwaysUseLatest: true', 'branch: (ctx) => ctx.build.source.branch'])(
  'of a fork the revision is built that was approved, whatever its branch has by now, also with %s',
  async (options) => {
    const it = await place(options);
    const revision = await commit(it.repository, 'a', 'one');
    await commit(it.repository, 'a', 'pushed after the approval');
    await git(it.repository, 'update-ref', 'refs/pull/7/head', 'HEAD');
    expect(await it.checkout({ branch: 'refs/pull/7/head', revision }, true)).toEqual(SUCCESS);
    expect(gotRevision(it)).toBe(revision);
  },
);

test('a copy stays below the folder of the build, however its path is written', async () => {
  const it = await place("method: 'copy', path: () => 'deep/tree//'");
  await commit(it.repository, 'a', 'one');
  expect(await it.checkout()).toEqual(SUCCESS);
  expect((await readdir(join(it.folder, 'deep'))).sort()).toEqual(['tree', 'tree.pristine']);
  // A build has left a link in its place.
  await rm(join(it.folder, 'deep/tree'), { recursive: true });
  await symlink(it.repository, join(it.folder, 'deep/tree'));
  expect(await it.checkout()).toEqual(SUCCESS);
  expect(await readdir(join(it.folder, 'deep/tree'))).toEqual(['.git', 'a']);
  expect(await readdir(it.repository)).toContain('a');
  expect((await lstat(join(it.folder, 'deep/tree'))).isDirectory()).toBe(true);
  const up = await place("method: 'copy', path: () => '..'");
  await commit(up.repository, 'a', 'one');
  expect(await up.checkout()).toEqual({
    result: 'failure',
    summary: "method 'copy' needs a path with a name below the build's folder",
  });
  expect(await readdir(up.repository)).toContain('a');
});

test.each<[object, RegExp]>([
  [{ mode: 'clean' }, /mode is "clean"; write 'full' or 'incremental'/],
  [{ method: 'copie' }, /method is "copie"; write 'fresh', 'clean', 'clobber' or 'copy'/],
  [{ mode: 'incremental', method: 'clean' }, /mode 'incremental' keeps what is there, so it has no method/],
  [{ method: 'copy' }, /method 'copy' keeps a clone beside the folder, .*write a path/],
  [{ method: 'copy', path: 'a/..' }, /method 'copy' keeps a clone beside the folder, .*write a path/],
  [{ shallow: 0 }, /shallow is no number of commits; write true, or 1 and more/],
  [{ filter: '--x' }, /filter is "--x"; write one of git, like 'blob:none'/],
  [{ shallow: true, getDescription: true }, /getDescription needs the history that shallow leaves out/],
  [{ origin: '-x' }, /origin is "-x"; use letters/],
  [{ config: { core: 'x' } }, /config: "core" is no setting of git; write SECTION.NAME/],
  [{ getDescription: { '-x': true } }, /getDescription: "-x" is no option of git describe/],
  [{ retry: { times: 101, delay: '1s' } }, /retry: times is 101; write a number from 0 to 100/],
  [{ retry: { times: 1, delay: '1' } }, /retry: delay: "1" is no duration/],
])('checkout(%o) is refused', (options, told) => {
  expect(checkoutMistake(options)).toMatch(told);
});

test('what is wrong with a checkout is told when the configuration is loaded, and where', async () => {
  await expect(tryConfig(configOf("checkout({ method: 'copy' })"))).rejects.toThrow(
    /builder "debian", step "checkout": method 'copy' keeps a clone beside the folder/,
  );
  for (const good of [
    {},
    { mode: 'full', method: 'copy', path: 'x' },
    { config: { 'url.a:b.insteadOf': 'c' }, shallow: 3 },
  ]) {
    expect(checkoutMistake(good as CheckoutOptions)).toBe(undefined);
  }
});
