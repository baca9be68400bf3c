import { afterEach, beforeEach, expect, test } from 'vitest';
import { judgeSource } from '../../../src/master/operator-trust.ts';
import { checkRevision } from '../../../src/master/operator-wish.ts';
import type { Change } from '../../../src/model/change.ts';
import type { SourceStamp } from '../../../src/model/source-stamp.ts';
import type { Store } from '../../../src/store/store.ts';
import { TempStore } from '../../support/temp-store.ts';

const PULL = 'refs/pull/7/head';
const FORKS = 'abcdef0'.padEnd(40, '1');
const OURS = 'abcdef0'.padEnd(40, '2');
const UNKNOWN = 'c0ffee'.padEnd(40, '3');

let temp: TempStore;
let store: Store;
beforeEach(async () => {
  temp = await TempStore.make();
  store = await temp.open();
  await told(PULL, FORKS, { isUntrusted: true, author: 'mallory' });
  await told('main', OURS);
});
afterEach(() => temp.remove());

async function told(branch: string, revision: string, more: Partial<Change> = {}): Promise<void> {
  const rest = { comments: '', files: [], filesLeftOut: 0, properties: {}, atMs: 1, sentBy: 'hook:github' };
  await store.changes.add(
    { project: 'p', repository: 'r', branch, revision, ...rest, ...more },
    `${branch} ${revision}`,
    [],
  );
}

async function judged(source: SourceStamp, forks?: 'build' | 'ignore'): Promise<string | undefined> {
  const project = { name: 'p', ...(forks && { forks }) };
  return (await judgeSource({ store, clock: temp.clock }, project, source)).untrustedOf;
}

test('a revision that was told of as a fork’s alone is one, whatever branch it is asked for on', async () => {
  for (const branch of [PULL, 'main', 'refs/heads/main', undefined]) {
    const source = { revision: FORKS, ...(branch !== undefined && { branch }) };
    expect(await judged(source)).toBe('mallory');
  }
  expect(await judgeSource({ store, clock: temp.clock }, { name: 'p' }, { revision: FORKS.toUpperCase() })).toEqual({
    revision: FORKS,
    untrustedOf: 'mallory',
  });
  expect(await judged({ branch: 'main', revision: OURS })).toBeUndefined();
  // Another project knows nothing of it.
  const other = await judgeSource({ store, clock: temp.clock }, { name: 'q' }, { revision: FORKS });
  expect(other).toEqual({ revision: FORKS });
});

test('a revision that was pushed to the repository itself, too, is not a fork’s any more', async () => {
  await told('main', FORKS);
  expect(await judged({ branch: PULL, revision: FORKS })).toBeUndefined();
});

test('what is on no branch and no tag, and of which nobody told, is somebody’s', async () => {
  for (const branch of [PULL, 'refs/pull/7/merge', 'refs/changes/34/1234/5', 'refs/merge-requests/7/head']) {
    expect(await judged({ branch, revision: UNKNOWN })).toBe('somebody');
  }
  for (const branch of ['pull/7/head', 'refs/heads/pull/7/head', 'refs/tags/v1', undefined]) {
    expect(await judged({ revision: UNKNOWN, ...(branch !== undefined && { branch }) })).toBeUndefined();
  }
});

test('what may be another revision by the time that it is built is not approved: the whole hash is wanted', async () => {
  const say = 'say which revision you have looked at, all of it: --revision HASH';
  await expect(judged({ branch: PULL })).rejects.toThrow(`"${PULL}" is, or may be, of a fork: ${say}`);
  await expect(judged({ branch: PULL, revision: 'v1.0' })).rejects.toMatchObject({ code: 'usage' });
  // Of two that begin so one is a fork's.
  await expect(judged({ branch: 'main', revision: 'ABCDEF0' })).rejects.toThrow(`"ABCDEF0" is, or may be, of a fork`);
  expect(await judged({ branch: 'main', revision: OURS.slice(0, 8) })).toBeUndefined();
  expect(await judged({ branch: 'main', revision: 'v1.0' })).toBeUndefined();
  expect(await judged({})).toBeUndefined();
});

test('where forks are built at once they are approved by the configuration', async () => {
  expect(await judged({ branch: PULL, revision: FORKS }, 'ignore')).toBe('mallory');
  expect(await store.approvals.find('p', FORKS)).toBeUndefined();
  expect(await judged({ branch: PULL, revision: FORKS }, 'build')).toBe('mallory');
  expect(await store.approvals.find('p', FORKS)).toBe('the configuration');
});

test('what would name the revision of an earlier build of the folder is no revision', () => {
  for (const revision of [
    'HEAD',
    'FETCH_HEAD',
    'ORIG_HEAD',
    PULL,
    'refs/heads/main',
    'refs/trunkline/head',
    'trunkline/head',
  ]) {
    expect(() => checkRevision(revision)).toThrow(`"${revision}" is no name of a revision`);
  }
  for (const revision of [FORKS, 'abc', 'v1.0', 'refs/tags/v1.0', 'release/1.0', 'AHEAD', 'heads-up'])
    checkRevision(revision);
});
