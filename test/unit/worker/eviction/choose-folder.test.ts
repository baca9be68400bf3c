import { expect, test } from 'vitest';
import { idleFolders } from '../../../../src/worker/eviction/choose-folder.ts';
import type { HeldSession } from '../../../../src/worker/session-book.ts';

const idle = (session: string, directory: string, atMs: number): HeldSession => ({
  session,
  directory,
  fence: 3,
  idle: { fence: 3, atMs },
});

test('the least recently used goes first, also when its session is known no more', () => {
  const held = [idle('s1', 'p/b', 30), idle('s2', 'p/c', 10)];
  expect(idleFolders(held, [{ directory: 'q/d', atMs: 20 }])).toEqual([
    { session: 's2', directory: 'p/c', usedAtMs: 10 },
    { session: undefined, directory: 'q/d', usedAtMs: 20 },
    { session: 's1', directory: 'p/b', usedAtMs: 30 },
  ]);
});

test('a session is in use until it is said to be idle up to its own fence', () => {
  const asked = { session: 's1', directory: 'p/b', fence: 4 };
  expect(idleFolders([asked], [])).toEqual([]);
  expect(idleFolders([{ ...asked, idle: { fence: 3, atMs: 1 } }], [])).toEqual([]);
  expect(idleFolders([{ ...asked, idle: { fence: 4, atMs: 1 } }], [])).toHaveLength(1);
});

test('no folder goes that lies in one in use, or around it, or is the same under another name', () => {
  const used = { session: 'used', directory: 'p/b', fence: 1 };
  const others = ['p', 'p/b', './p//b', 'p/b/deep'].map((directory, n) => idle(`s${n}`, directory, n));
  expect(idleFolders([used, ...others], [])).toEqual([]);
  expect(idleFolders([used, idle('s', 'p/b-1', 1), idle('t', 'pp/b', 2)], [])).toHaveLength(2);
});
