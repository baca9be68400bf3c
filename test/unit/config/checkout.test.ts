import { lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { patchFile } from '../../../src/model/source-stamp.ts';
import { commit, git, gotRevision, place } from './checkout-place.ts';
import type { TryOptions } from './try-config.ts';

// Threads and processes are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

test("a checkout follows its branch's tip, and leaves nothing of the last build", async () => {
  const it = await place();
  await commit(it.repository, 'src/main.c', 'one');
  expect(await it.checkout()).toEqual({ result: 'success' });
  await writeFile(join(it.folder, 'src/main.c'), 'spoilt');
  await mkdir(join(it.folder, 'out'));
  await writeFile(join(it.folder, 'out/main.o'), '');
  await writeFile(join(it.folder, '.git/index.lock'), 'a git that was killed');

  const second = await commit(it.repository, 'README', 'two');
  expect(await it.checkout()).toEqual({ result: 'success' });
  expect(gotRevision(it)).toBe(second);
  expect((await readdir(it.folder)).sort()).toEqual(['.git', 'README', 'src']);
  expect(await readFile(join(it.folder, 'src/main.c'), 'utf8')).toBe('one');
  expect(it.calls.filter(({ kind }) => kind === 'run')).toHaveLength(2);
});

test('a revision is checked out, also one given short, and one of another branch', async () => {
  const it = await place();
  const first = await commit(it.repository, 'a', 'one');
  await commit(it.repository, 'a', 'two');
  await git(it.repository, 'checkout', '-q', '-b', 'other', first);
  const other = await commit(it.repository, 'b', 'three');
  await git(it.repository, 'checkout', '-q', 'main');
  for (const [revision, got] of [
    [first, first],
    [other.slice(0, 10), other],
  ]) {
    expect(await it.checkout({ revision: revision! })).toEqual({ result: 'success' });
    expect(gotRevision(it)).toBe(got);
  }
});

test('the revision of a pull request is checked out, which is on no branch, and whose server may give it by its ref alone', async () => {
  const it = await place();
  const main = await commit(it.repository, 'a', 'one');
  await git(it.repository, 'checkout', '-q', '--detach');
  const head = await commit(it.repository, 'b', 'better');
  await git(it.repository, 'update-ref', 'refs/pull/7/head', head);
  await git(it.repository, 'checkout', '-q', 'main');
  expect(main).not.toBe(head);
  // Cut short it is no name that a server gives.
  for (const revision of [head, head.slice(0, 12)]) {
    await rm(join(it.folder, '.git'), { recursive: true, force: true });
    expect(await it.checkout({ branch: 'refs/pull/7/head', revision })).toEqual({ result: 'success' });
    expect(gotRevision(it)).toBe(head);
  }
  const gone = await it.checkout({ branch: 'refs/pull/8/head', revision: 'c0ffee'.repeat(6) });
  expect(gone).toMatchObject({ result: 'failure', summary: 'no such branch or revision: see the log' });
});
test('what is checked out beside the build’s own source is not the revision that it built', async () => {
  const beside = await place();
  const other = await commit(beside.repository, 'a', 'other');
  const url = `url: ${JSON.stringify(beside.repository)}`;
  const main = await place("branch: 'main'");
  const tip = await commit(main.repository, 'a', 'main');
  for (const [it, source, wanted] of [
    [await place(url), { repository: main.repository, branch: 'main' }, undefined],
    [await place(url), { repository: beside.repository }, other],
    [main, { repository: main.repository, branch: 'topic' }, undefined],
    [main, { repository: main.repository, branch: 'main' }, tip],
    [main, { repository: main.repository }, tip],
  ] as const) {
    expect(await it.checkout(source)).toEqual({ result: 'success' });
    expect(gotRevision(it)).toBe(wanted);
  }
});

test('a branch is checked out, and a moved one is followed', async () => {
  const it = await place();
  const first = await commit(it.repository, 'a', 'one');
  await git(it.repository, 'branch', 'topic');
  await commit(it.repository, 'a', 'two');
  expect(await it.checkout({ branch: 'topic' })).toEqual({ result: 'success' });
  expect(gotRevision(it)).toBe(first);
  await git(it.repository, 'checkout', '-q', '--orphan', 'fresh');
  const fresh = await commit(it.repository, 'c', 'anew');
  await git(it.repository, 'branch', '-f', 'topic', 'fresh');
  expect(await it.checkout({ branch: 'topic' })).toEqual({ result: 'success' });
  expect(gotRevision(it)).toBe(fresh);
});

test.each<[string, TryOptions['source'], RegExp]>([
  ['branch', { branch: 'nowhere' }, /has no branch nowhere/],
  ['revision', { revision: 'f'.repeat(40) }, /has no revision f/],
])('a %s that is not there fails at the first try, and the log says so', async (_what, source, told) => {
  const it = await place();
  await commit(it.repository, 'a', 'one');
  expect(await it.checkout(source)).toEqual({
    result: 'failure',
    summary: 'no such branch or revision: see the log',
  });
  expect(it.outputs.at(-1)).toMatch(told);
});

test('a repository that cannot be reached is tried three times', async () => {
  const it = await place();
  await rm(it.repository, { recursive: true });
  const report = await it.checkout();
  expect(report).toEqual({ result: 'failure', summary: `could not fetch from ${it.repository} (3 tries)` });
  expect(it.calls.map((call) => (call.kind === 'run' ? call.args.log : call.kind))).toEqual([
    'stdio',
    'stdio-2',
    'stdio-3',
  ]);
});

test('a repository that a crash left half made is made anew', async () => {
  const it = await place();
  await mkdir(join(it.folder, '.git/objects'), { recursive: true });
  await writeFile(join(it.folder, '.git/HEAD'), '');
  const revision = await commit(it.repository, 'a', 'one');
  expect(await it.checkout()).toEqual({ result: 'success' });
  expect(gotRevision(it)).toBe(revision);
});

test('an incremental checkout below the folder keeps what the last build made', async () => {
  const it = await place("mode: 'incremental', path: 'deep/tree'");
  await commit(it.repository, 'a', 'one');
  expect(await it.checkout()).toEqual({ result: 'success' });
  await writeFile(join(it.folder, 'deep/tree/main.o'), '');
  await commit(it.repository, 'b', 'two');
  expect(await it.checkout()).toEqual({ result: 'success' });
  expect((await readdir(join(it.folder, 'deep/tree'))).sort()).toEqual(['.git', 'a', 'b', 'main.o']);
});

test('a revision that git would take for an option is refused', async () => {
  const it = await place();
  const report = await it.checkout({ revision: '--upload-pack=x' });
  expect(report).toEqual({ result: 'failure', summary: 'a URL, branch or revision begins with "-"' });
  expect(it.calls).toEqual([]);
});

/** Every kind of difference, and names that are hard to write down. */
const ALL_KINDS = String.raw`
printf 'three\n' >> a
printf '\000\377\001' > "$(printf 'new \t file')"
mkdir -p "d/ü"; echo x > "d/ü/$(printf 'two\nlines')"
git mv moved there
rm gone
chmod +x a
ln -s a link
`;

test('a patch of every kind of difference is put on top of its revision, and what it changes is told', async () => {
  const it = await place();
  for (const name of ['moved', 'gone']) await commit(it.repository, name, `${name}\n`);
  const revision = await commit(it.repository, 'a', 'one\ntwo\n');
  expect(await it.checkoutWith(ALL_KINDS, { revision })).toEqual({ result: 'success' });
  expect(gotRevision(it)).toBe(undefined);
  expect(it.calls.map(({ kind }) => kind)).toEqual(['run', 'setProperty', 'put', 'run']);
  expect(await readFile(join(it.folder, 'a'), 'utf8')).toBe('one\ntwo\nthree\n');
  expect((await lstat(join(it.folder, 'a'))).mode & 0o111).not.toBe(0);
  expect(await readFile(join(it.folder, 'new \t file'))).toEqual(Buffer.from([0, 255, 1]));
  expect(await readFile(join(it.folder, 'd/ü/two\nlines'), 'utf8')).toBe('x\n');
  expect((await lstat(join(it.folder, 'link'))).isSymbolicLink()).toBe(true);
  expect((await readdir(it.folder)).sort()).toEqual(['.git', 'a', 'd', 'link', 'new \t file', 'there']);
  expect(await git(it.folder, 'rev-parse', 'HEAD')).toBe(revision);
  expect(it.outputs.at(-1)).toMatch(/7 files changed.*rename moved => there|rename moved => there/s);
});

test.each([[''], ["mode: 'incremental'"]])('no patch is left behind for the next build (%s)', async (options) => {
  const it = await place(options);
  for (const name of ['moved', 'gone']) await commit(it.repository, name, `${name}\n`);
  await commit(it.repository, 'a', 'one\n');
  await writeFile(join(it.repository, '.gitignore'), '*.o\n');
  await commit(it.repository, 'b', 'b\n');
  expect(await it.checkoutWith(ALL_KINDS)).toEqual({ result: 'success' });
  // What the build made of it, and what a git that was killed half way had written.
  await writeFile(join(it.folder, 'main.o'), '');
  await writeFile(join(it.folder, 'half'), '');
  expect(await it.checkout()).toEqual({ result: 'success' });
  expect((await readdir(it.folder)).sort()).toEqual(['.git', '.gitignore', 'a', 'b', 'gone', 'moved']);
  expect(await git(it.folder, 'status', '--porcelain', '--ignored')).toBe('');
  expect(await readdir(join(it.folder, '.git'))).not.toContain('trunkline.patch');
  if (options === '') return;
  // Only once: then it is incremental again.
  await writeFile(join(it.folder, 'main.o'), '');
  expect(await it.checkout()).toEqual({ result: 'success' });
  expect(await readdir(it.folder)).toContain('main.o');
});

test("a patch that does not apply fails the step with git's own words, and leaves nothing of it", async () => {
  const it = await place("path: 'deep'");
  const first = await commit(it.repository, 'a', 'one\n');
  await commit(it.repository, 'a', 'two\n');
  const report = await it.checkoutWith('echo more >> a; echo new > new', { revision: first });
  expect(report).toEqual({ result: 'failure', summary: 'the patch does not apply (exit 1): see the log "patch"' });
  expect(it.outputs.at(-1)).toContain('error: patch failed: a:1');
  expect(it.calls.at(-1)).toMatchObject({ kind: 'run', args: { log: 'patch', cwd: 'deep' } });
  expect((await readdir(join(it.folder, 'deep'))).sort()).toEqual(['.git', 'a']);
});

test.each([
  ['outside of the work tree', '--- a/x\n+++ b/../../outside\n@@ -0,0 +1 @@\n+x\n', /invalid path/],
  [
    'inside of .git',
    'diff --git a/.git/hooks/h b/.git/hooks/h\nnew file mode 100755\n--- /dev/null\n+++ b/.git/hooks/h\n@@ -0,0 +1 @@\n+x\n',
    /invalid path/,
  ],
  ['no patch at all', 'hello\n', /No valid patches/],
])('a patch is refused that is %s', async (_what, text, told) => {
  const it = await place();
  await commit(it.repository, 'a', 'one\n');
  const patch = { id: 'bad', sha256: '', bytes: 0 };
  await mkdir(join(it.folder, '../state/patches'), { recursive: true });
  await writeFile(join(it.folder, '..', patchFile(patch)), text);
  expect(await it.checkout({ patch })).toMatchObject({ result: 'failure' });
  expect(it.outputs.at(-1)).toMatch(told);
});

test('a checkout of another repository leaves the patch alone', async () => {
  const it = await place("branch: 'main'");
  await commit(it.repository, 'a', 'one\n');
  expect(await it.checkoutWith('echo x >> a')).toEqual({ result: 'success' });
  expect(await readFile(join(it.folder, 'a'), 'utf8')).toBe('one\n');
});
