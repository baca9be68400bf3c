import { chmod, mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BareRepository } from '../../../support/bare-repository.ts';
import { runOk } from '../../../support/run.ts';
import { PollBench } from '../../../support/poll-bench.ts';
import type { Polled } from '../../../support/poll-bench.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let dir: string;
let kate: BareRepository;
let bench: PollBench | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-src-'));
  kate = await BareRepository.make(join(dir, 'kate.git'));
});
afterEach(async () => {
  await bench?.close();
  bench = undefined;
  await rm(dir, { recursive: true, force: true });
});

async function open(projects: Polled): Promise<(url?: string) => Promise<readonly string[]>> {
  const opened = await PollBench.open(projects);
  bench = opened;
  return (url = kate.dir) => opened.poll(url);
}

test('a function names the branches; another one tells nothing of what was there before', async () => {
  await kate.commit('main', { message: 'old' });
  await kate.commit('work/a', { message: 'old work' });
  const asked: (readonly string[])[] = [];
  const branches = (all: readonly string[]): readonly string[] => {
    asked.push(all);
    return [...all.filter((name) => name.startsWith('work/')), 'nowhere'];
  };
  const poll = await open({ p: [kate.dir, { branches }] });
  expect(await poll()).toEqual([]);
  await kate.commit('main', { message: 'not meant' });
  await kate.commit('work/a', { message: 'one' });
  await kate.commit('work/b', { message: 'new' });
  expect(await poll()).toEqual(['p work/a one', 'p work/b new']);
  expect(asked.at(-1)?.toSorted()).toEqual(['main', 'work/a', 'work/b']);
  bench?.change({ p: [kate.dir, { branches: (all) => all.filter((name) => name !== 'work/a') }] });
  await kate.commit('main', { message: 'nor this one' });
  await kate.commit('work/b', { message: 'two' });
  expect(await poll()).toEqual(['p work/b two']);
  await kate.commit('main', { message: 'but this one' });
  expect(await poll()).toEqual(['p main but this one']);
});

test.each<[string, (all: readonly string[]) => never, RegExp]>([
  [
    'throws',
    () => {
      throw new Error('not today');
    },
    /branches of the source of p: .*not today/,
  ],
  ['answers no list', () => 'main' as never, /it answered "main", not a list of branches/],
])('a function that %s is told, and nothing is lost', async (_, branches, said) => {
  await kate.commit('main', { message: 'old' });
  const poll = await open({ p: [kate.dir, { branches: () => ['main'] }], q: [kate.dir] });
  await poll();
  bench?.change({ p: [kate.dir, { branches }], q: [kate.dir] });
  await kate.commit('main', { message: 'one' });
  await expect(poll()).rejects.toThrow(said);
  // Another project of the repository hears of it.
  expect((await bench?.changes())?.map(({ project, comments }) => [project, comments])).toEqual([['q', 'one']]);
  expect((await bench?.polls.list())?.[0]?.error).toMatch(said);
  bench?.change({ p: [kate.dir, { branches: () => ['main'] }], q: [kate.dir] });
  expect(await poll()).toEqual(['p main one']);
});

test('a commit that says so is kept and not built, whatever came with it', async () => {
  await kate.commit('main', { message: 'old' });
  const poll = await open({ p: [kate.dir], q: [kate.dir, { skip: ['no build'] }] });
  await poll();
  await kate.commit('main', { message: 'one' });
  await kate.commit('main', { message: 'typo\n\n[CI skip]\n' });
  await kate.commit('main', { message: 'No build' });
  expect(await poll()).toHaveLength(6);
  const skipped = (await bench?.changes())?.map(({ project, skipped: why = null }) => [project, why]);
  expect(skipped?.toSorted(([a = ''], [b = '']) => (a! < b! ? -1 : 1))).toEqual([
    ['p', null],
    ['p', '[ci skip]'],
    ['p', null],
    ['q', null],
    ['q', null],
    ['q', 'no build'],
  ]);
  expect(await bench?.store.requests.pending()).toHaveLength(4);
});

test('what is there at the first poll is nothing new; each commit after it is a change, oldest first, once', async () => {
  await kate.commit('main', { message: 'old' });
  const poll = await open({ p: [kate.dir] });
  expect(await poll()).toEqual([]);
  await kate.commit('main', { message: 'one' });
  const two = await kate.commit('main', {
    message: 'two\n\nmore\n',
    author: 'Zoë <z@example.org>',
    files: ['a/b', 'c'],
  });
  await kate.commit('other', { message: 'not polled', from: two });
  expect(await poll()).toEqual(['p main one', 'p main two\n\nmore']);
  expect(await poll()).toEqual([]);
  const [, change] = (await bench?.changes()) ?? [];
  expect(change).toMatchObject({
    project: 'p',
    repository: kate.dir,
    branch: 'main',
    revision: two,
    author: 'Zoë <z@example.org>',
    committer: expect.stringMatching(/^.+ <.+@.+>$/),
    comments: 'two\n\nmore',
    files: ['a/b', 'c'],
    filesLeftOut: 0,
    sentBy: 'the poller',
  });
  expect(await bench?.store.requests.pending()).toHaveLength(2);
});

test('with pollAtStart the tips of the first poll are changes', async () => {
  await kate.commit('main', { message: 'old' });
  const newer = await kate.commit('main', { message: 'newer' });
  await kate.commit('topic', { message: 'topic', from: newer });
  const poll = await open({ p: [kate.dir, { pollAtStart: true, branches: true }] });
  expect(await poll()).toEqual(['p main newer', 'p topic topic']);
  expect(await poll()).toEqual([]);
});

test('new, deleted and forced branches, merges and tags are told as git has them', async () => {
  const base = await kate.commit('main', { message: 'base' });
  const second = await kate.commit('main', { message: 'second' });
  const poll = await open({ p: [kate.dir, { branches: ['main', 'release/*'], tags: 'v*' }] });
  await poll();
  // A new branch that goes off from an older commit has only what is its own.
  const own = await kate.commit('release/1', { message: 'own', from: base });
  await kate.commit('topic', { message: 'nobody polls it', from: base });
  expect(await poll()).toEqual(['p release/1 own']);
  // A new branch where another one is has its tip.
  await kate.set('refs/heads/release/2', own);
  expect(await poll()).toEqual(['p release/2 own']);
  // A merge brings all that it merges; its files are those that differ from its first parent.
  await kate.commit('main', { message: 'merge', merges: own, files: [] });
  expect(await poll()).toEqual(['p main own', 'p main merge']);
  // Something else in its place.
  await kate.commit('main', { message: 'forced', from: second });
  expect(await poll()).toEqual(['p main forced']);
  // Back to what was built already; and a branch that goes, and another where a folder of branches was.
  await kate.set('refs/heads/main', second);
  await kate.set('refs/heads/release/1', undefined);
  await kate.set('refs/heads/release/2', undefined);
  expect(await poll()).toEqual(['p main second']);
  await kate.commit('release/1', { message: 'anew', from: base });
  expect(await poll()).toEqual(['p release/1 anew']);
  // Tags: those that are wanted, of what they stand for.
  await kate.git('-c', 'user.name=A', '-c', 'user.email=a@x', 'tag', '-a', '-m', 'Version 1', 'v1', second);
  await kate.set('refs/tags/v2', base);
  await kate.set('refs/tags/other', base);
  const blob = await kate.git('hash-object', '-w', '--stdin');
  await kate.set('refs/tags/v3-no-commit', blob);
  expect(await poll()).toEqual(['p refs/tags/v1 second', 'p refs/tags/v2 base']);
  await kate.set('refs/tags/v2', second);
  expect(await poll()).toEqual(['p refs/tags/v2 second']);
  expect(await poll()).toEqual([]);
});

test('a branch becomes a folder of branches, and back', async () => {
  const base = await kate.commit('a', { message: 'base' });
  const poll = await open({ p: [kate.dir, { branches: true }] });
  await poll();
  await kate.commit('a', { message: 'more' });
  expect(await poll()).toEqual(['p a more']);
  await kate.set('refs/heads/a', undefined);
  await kate.commit('a/b', { message: 'below', from: base });
  expect(await poll()).toEqual(['p a/b below']);
  await kate.set('refs/heads/a/b', undefined);
  await kate.commit('a', { message: 'again', from: base });
  expect(await poll()).toEqual(['p a again']);
});

test('of very many commits at once the newest are told', async () => {
  await kate.commit('main');
  const poll = await open({ p: [kate.dir] });
  await poll();
  const tip = await kate.tip('main');
  const lines = Array.from({ length: 150 }, (_, n) => [
    'commit refs/heads/main',
    `committer A <a@x> ${1_700_001_000 + n} +0000`,
    `data <<EOT\nmany ${n}\nEOT`,
    ...(n === 0 ? [`from ${tip}`] : []),
    `M 100644 inline f${n}\ndata 1\nx`,
  ]);
  await runOk('git', ['fast-import', '--quiet'], { cwd: kate.dir, input: `${lines.flat().join('\n')}\n` });
  const outcome = await bench?.polls.poll(kate.dir);
  expect(outcome?.leftOut).toBe(50);
  const told = (await bench?.changes())?.map(({ comments }) => comments);
  expect(told).toEqual(Array.from({ length: 100 }, (_, n) => `many ${n + 50}`));
  expect(await poll()).toEqual([]);
});

test('two projects of one repository have one mirror, which is fetched once; each is told of its own branches', async () => {
  const base = await kate.commit('main', { message: 'base' });
  const poll = await open({ p: [kate.dir], q: [kate.dir, { branches: 'topic' }] });
  await poll();
  await kate.commit('main', { message: 'one' });
  await kate.commit('topic', { message: 'two', from: base });
  expect(await poll()).toEqual(['p main one', 'q topic two']);
  expect(await readdir(join(bench?.dir ?? '', 'mirrors'))).toHaveLength(1);
  expect(await bench?.polls.list()).toMatchObject([{ url: kate.dir, projects: ['p', 'q'], error: null }]);
});

test('what a changed configuration wants besides was there before, and what it does not want is forgotten', async () => {
  await kate.commit('main', { message: 'base' });
  const poll = await open({ p: [kate.dir] });
  await poll();
  await kate.commit('topic', { message: 'old', from: await kate.tip('main') });
  bench?.change({ p: [kate.dir, { branches: ['main', 'topic', 'new'] }] });
  expect(await poll()).toEqual([]);
  await kate.commit('topic', { message: 'one' });
  await kate.commit('new', { message: 'two', from: await kate.tip('main') });
  expect(await poll()).toEqual(['p topic one', 'p new two']);
  bench?.change({ p: [kate.dir] });
  expect(await poll()).toEqual([]);
  await kate.commit('topic', { message: 'unseen' });
  await kate.commit('main', { message: 'seen' });
  expect(await poll()).toEqual(['p main seen']);
  // Another repository begins anew.
  const other = await BareRepository.make(join(dir, 'other.git'));
  await other.commit('main');
  bench?.change({ p: [other.dir] });
  expect(await poll(other.dir)).toEqual([]);
  await other.commit('main', { message: 'its own' });
  expect(await poll(other.dir)).toEqual(['p main its own']);
  expect(await readdir(join(bench?.dir ?? '', 'mirrors'))).toHaveLength(1);
});

test('names, messages and authors may be anything that git takes', async () => {
  await kate.commit('main');
  const poll = await open({ p: [kate.dir, { branches: true }] });
  await poll();
  const files = [
    'a b',
    'new\nline',
    '\nbegins',
    '"q" \\ \'s\'',
    '-rf',
    '$(touch pwned)',
    '\u001b[31m',
    '中',
    'commit deadbeef',
  ];
  const message = 'Fix "it" \\n $(id)\n\n\u0001\u001b[31mred\u202e\n\nend';
  const author = 'Zoë "x" $(id) \u001b[2J <z@example.org>';
  await kate.commit('main', { message, author, files });
  const evil = `$(touch\${IFS}pwned)'"`;
  await kate.commit(evil, { message: '', from: await kate.tip('main') });
  // What could be no build's branch.
  await kate.set('refs/heads/-rf', await kate.tip('main'));
  await poll();
  const changes = (await bench?.changes()) ?? [];
  expect(changes.map(({ branch }) => branch)).toEqual(['main', evil]);
  expect(changes[0]).toMatchObject({ author, comments: message });
  expect(changes[0]?.files.toSorted()).toEqual(files.toSorted());
});

test('ten thousand branches are polled, and only what moved is looked at', async () => {
  const base = await kate.commit('main', { message: 'base' });
  const refs = Array.from({ length: 10_000 }, (_, n) => `create refs/heads/topic/${n} ${base}\n`).join('');
  await runOk('git', ['update-ref', '--stdin'], { cwd: kate.dir, input: refs });
  await kate.git('pack-refs', '--all');
  const poll = await open({ p: [kate.dir, { branches: /^topic/ }] });
  expect(await poll()).toEqual([]);
  await kate.commit('topic/77', { message: 'one' });
  await kate.set('refs/heads/topic/5', undefined);
  expect(await poll()).toEqual(['p topic/77 one']);
  expect(await poll()).toEqual([]);
});

test('a mirror that is gone, and one that a killed git left locked, are mended by the next poll', async () => {
  await kate.commit('main');
  const poll = await open({ p: [kate.dir] });
  await poll();
  await kate.commit('main', { message: 'one' });
  expect(await poll()).toEqual(['p main one']);
  const mirrors = join(bench?.dir ?? '', 'mirrors');
  const [name = ''] = await readdir(mirrors);
  for (const lock of ['packed-refs.lock', 'refs/heads/main.lock', 'HEAD.lock'])
    await writeFile(join(mirrors, name, lock), '');
  await writeFile(join(mirrors, name, 'objects/pack/tmp_pack_x'), 'half');
  await kate.commit('main', { message: 'two' });
  expect(await poll()).toEqual(['p main two']);
  expect(await readdir(join(mirrors, name, 'objects/pack'))).not.toContain('tmp_pack_x');
  await rm(join(mirrors, name), { recursive: true });
  await kate.commit('main', { message: 'three' });
  expect(await poll()).toEqual(['p main three']);
});

test.each<[string, (mirror: string) => Promise<void>]>([
  ['an empty HEAD', (mirror) => writeFile(join(mirror, 'HEAD'), '')],
  ['refs that are none', (mirror) => writeFile(join(mirror, 'packed-refs'), 'no refs\n')],
  ['a commit that is cut short', cutObjects],
])('a mirror with %s is made anew, and nothing is lost', async (_what, damage) => {
  await kate.commit('main');
  const poll = await open({ p: [kate.dir] });
  await poll();
  await kate.commit('main', { message: 'one' });
  expect(await poll()).toEqual(['p main one']);
  const mirrors = join(bench?.dir ?? '', 'mirrors');
  const [name = ''] = await readdir(mirrors);
  await damage(join(mirrors, name));
  await kate.commit('main', { message: 'two' });
  expect(await poll()).toEqual(['p main two']);
  await kate.commit('main', { message: 'three' });
  expect(await poll()).toEqual(['p main three']);
  expect(await bench?.polls.list()).toMatchObject([{ error: null }]);
});

/** As a disk does that loses its power. */
async function cutObjects(mirror: string): Promise<void> {
  const objects = join(mirror, 'objects');
  for (const path of await readdir(objects, { recursive: true })) {
    if (!(await stat(join(objects, path))).isFile()) continue;
    await chmod(join(objects, path), 0o600);
    await truncate(join(objects, path));
  }
}

test('a branch that is set to something else before it was ever fetched has its tip told, not its history', async () => {
  await kate.commit('main', { message: 'first' });
  const second = await kate.commit('main', { message: 'second' });
  await kate.commit('main', { message: 'third' });
  const poll = await open({ p: [kate.dir] });
  expect(await poll()).toEqual([]);
  await kate.commit('main', { message: 'amended', from: second });
  await kate.git('reflog', 'expire', '--expire=now', '--all');
  await kate.git('gc', '--quiet', '--prune=now');
  expect(await poll()).toEqual(['p main amended']);
});

test('a poll that is under way goes by the configuration that there is then', async () => {
  await kate.commit('main');
  let isArmed = false;
  bench = await PollBench.open(
    { p: [kate.dir] },
    {
      onCommit: () => {
        if (isArmed) bench?.change({ q: [kate.dir] });
        isArmed = false;
      },
    },
  );
  await bench.polls.poll(kate.dir);
  for (const message of ['one', 'two']) await kate.commit('main', { message });
  isArmed = true;
  await expect(bench.polls.poll(kate.dir)).rejects.toThrow('project p has another source now');
  expect((await bench.changes()).map(({ comments }) => comments)).toEqual(['one']);
});

test('an empty repository has nothing, and then its first commit', async () => {
  const poll = await open({ p: [kate.dir, { branches: true }] });
  expect(await poll()).toEqual([]);
  await kate.commit('main', { message: 'first' });
  expect(await poll()).toEqual(['p main first']);
});
