import { array, assert, constantFrom, integer, property, record, string, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { CommitReader } from '../../../../src/master/sources/commit-reader.ts';
import { movesOf } from '../../../../src/master/sources/moves.ts';
import { RemoteTipsReader } from '../../../../src/master/sources/remote-tips.ts';
import { SourceError } from '../../../../src/master/sources/source-error.ts';

const HASH = 'a'.repeat(40);
const OTHER = 'b'.repeat(40);
/** No NUL, which git allows in none of them. */
const text = string({ unit: 'binary' }).map((one) => one.replaceAll('\0', ''));
const name = text.filter((one) => one !== '');

/** In pieces of these sizes, over and over. */
function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const to = at + (sizes[n % sizes.length] ?? 1);
    yield bytes.subarray(at, to);
    at = to;
  }
}

test('commits are read as they were made, whatever is in them and wherever their bytes are cut', () => {
  const commit = record({ author: text, committer: text, comments: text, files: array(name, { maxLength: 5 }) });
  assert(
    property(
      array(commit, { maxLength: 5 }),
      array(integer({ min: 1, max: 50 }), { minLength: 1 }),
      (commits, sizes) => {
        const printed = commits.map(({ author, committer, comments, files }) => {
          const head = `\0${HASH}\0${author}\0${committer}\0${comments}\0\0`;
          return files.length > 0 ? `${head}\n${files.join('\0')}\0` : head;
        });
        const reader = new CommitReader();
        for (const piece of pieces(Buffer.from(printed.join('')), sizes)) reader.add(piece);
        expect(reader.end()).toEqual(commits.map((one) => ({ ...one, revision: HASH, filesLeftOut: 0 })));
      },
    ),
  );
});

test('a commit of very many files, or with a very long message, is cut', () => {
  const files = Array.from({ length: 1_500 }, (_, index) => `f${index}`);
  const reader = new CommitReader();
  reader.add(Buffer.from(`\0${HASH}\0a\0b\0${'x'.repeat(1_000_000)}\0\0\n${files.join('\0')}\0`));
  const [commit] = reader.end();
  expect(commit).toMatchObject({ files: files.slice(0, 1_000), filesLeftOut: 500 });
  expect(commit?.comments).toHaveLength(65_536);
});

test('what a repository has is read wherever its lines are cut; a tag stands for its commit', () => {
  const lines = [
    'ref: refs/heads/trunk\tHEAD',
    `${HASH}\tHEAD`,
    `${HASH}\trefs/heads/trunk`,
    `${HASH}\trefs/heads/a b^{}x`,
    `${HASH}\trefs/tags/v1`,
    `${OTHER}\trefs/tags/v1^{}`,
    `${HASH}\trefs/pull/1/head`,
    'warning: nonsense',
    `${HASH}\trefs/heads/${'x'.repeat(5_000)}`,
  ];
  assert(
    property(array(integer({ min: 1, max: 200 }), { minLength: 1 }), (sizes) => {
      const reader = new RemoteTipsReader();
      for (const piece of pieces(Buffer.from(`${lines.join('\n')}\n`), sizes)) reader.add(piece);
      const { head, tips } = reader.end();
      expect(head).toBe('refs/heads/trunk');
      const named = [...tips].filter(([ref]) => ref.length < 100);
      expect(named).toEqual([
        ['refs/heads/trunk', HASH],
        ['refs/heads/a b^{}x', HASH],
        ['refs/tags/v1', OTHER],
      ]);
    }),
  );
});

test('after the moves of one poll all is known, and another has none', () => {
  const refs = constantFrom<string[]>('refs/heads/a', 'refs/heads/b', 'refs/heads/c', 'refs/tags/a', 'refs/tags/z');
  const tips = array(tuple(refs, constantFrom(HASH, OTHER))).map((pairs) => new Map(pairs));
  assert(
    property(tips, tips, array(refs), (known, wanted, before) => {
      const after = new Map(known);
      const moves = movesOf(known, wanted, (ref) => before.includes(ref));
      for (const move of moves) {
        if (move.kind === 'gone') expect(after.delete(move.ref)).toBe(true);
        else after.set(move.ref, move.to);
        if (move.kind === 'moved') expect(move.from).not.toBe(move.to);
        if (move.kind === 'new' || move.kind === 'found') expect(before.includes(move.ref)).toBe(move.kind === 'new');
      }
      expect(Object.fromEntries(after)).toEqual(Object.fromEntries(wanted));
      expect(movesOf(after, wanted, () => true)).toEqual([]);
      // Before a new branch, the others have gone on; tags come after branches.
      const order = moves.map(
        ({ kind, ref }) => ['found', 'moved', 'new', 'gone'].indexOf(kind) * 2 + (ref.startsWith('refs/tags/') ? 1 : 0),
      );
      expect(order).toEqual(order.toSorted((one, other) => one - other));
    }),
  );
});

test.each([
  ['Host key verification failed.\nfatal: Could not read from remote repository.\n', 'host-key'],
  ['git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n', 'refused'],
  ["fatal: Authentication failed for 'https://h/x.git/'\n", 'refused'],
  ["fatal: could not read Username for 'https://h': terminal prompts disabled\n", 'refused'],
  [
    'ssh: Could not resolve hostname h: Name or service not known\nfatal: Could not read from remote repository.',
    'unreachable',
  ],
  ["fatal: unable to access 'https://h/': Failed to connect to h port 1: Connection refused", 'unreachable'],
  ["fatal: '/nowhere' does not appear to be a git repository\nfatal: Could not read from remote repository.", 'gone'],
  ["remote: Repository not found.\nfatal: repository 'https://h/x.git/' not found", 'gone'],
  ["fatal: couldn't find remote ref refs/heads/x", 'moved'],
  ['fatal: write error: No space left on device', 'large'],
  ['something else', 'git'],
  ['', 'git'],
])('what git says in %j is told as %s', (said, code) => {
  const error = SourceError.ofGit(said, 128);
  expect(error.code).toBe(code);
  expect(error.message).toMatch(/git says: \S/);
  expect(error.message).not.toContain('\n');
});
