import { expect, onTestFinished, test } from 'vitest';
import { checkConfig } from '../../../../src/config/check-config.ts';
import type { TriggerArgs } from '../../../../src/config/calls.ts';
import { builder, defineMaster, git, project, sh, triggerable, worker } from '../../../../src/index.ts';
import { triggeredSets, LONGEST_LINE } from '../../../../src/master/builds/triggered-sets.ts';
import type { Build } from '../../../../src/model/build.ts';
import type { SourceStamp } from '../../../../src/model/source-stamp.ts';
import type { Store } from '../../../../src/store/store.ts';
import { buildSet, claimedBuild, claimOf, TempStore } from '../../../support/temp-store.ts';

const KATE = 'https://git.example.org/kate.git';
const OTHER = 'https://git.example.org/other.git';
const steps = [sh('s', 'true')];
const PATCH = { id: '01JDPATCH', sha256: 'ab'.repeat(32), bytes: 33 };
const ARGS: TriggerArgs = { schedulers: ['sub'], unimportant: [], waits: true, isPinned: true, properties: {} };

const checked = checkConfig(
  'c0ffee',
  defineMaster({
    title: 'T',
    workers: [worker('w')],
    projects: [
      project('p', {
        source: git(KATE, { branch: 'main' }),
        builders: [builder('sub', { workers: ['w'], steps })],
        schedulers: [triggerable('sub', { priority: 3, reason: 'as a part' })],
      }),
      project('other', {
        source: git(OTHER, { branch: 'stable' }),
        builders: [builder('sub', { workers: ['w'], steps })],
        schedulers: [triggerable('sub')],
      }),
      project('plain', { builders: [builder('sub', { workers: ['w'], steps })], schedulers: [triggerable('sub')] }),
    ],
  }),
);

async function openStore(): Promise<Store> {
  const temp = await TempStore.make();
  onTestFinished(() => temp.remove());
  return await temp.open();
}

async function triggered(
  store: Store,
  build: Build,
  args: Partial<TriggerArgs>,
): Promise<Awaited<ReturnType<typeof triggeredSets>>> {
  if ('mistakes' in checked) throw new Error(checked.mistakes.join());
  const { shape } = checked;
  const clock = { now: () => 5_000 };
  return await triggeredSets({ store, clock, config: () => shape }, build, ['0.1.0', '0.1.1'], { ...ARGS, ...args });
}

test('of its own repository a build hands on what it built, or the branch alone; of others nothing', async () => {
  const store = await openStore();
  const build = await claimedBuild(store);
  const sourceOf = async (source: SourceStamp, args: Partial<TriggerArgs>): Promise<SourceStamp | undefined> => {
    const made = await triggered(store, { ...build, source }, args);
    return 'sets' in made ? made.sets[0]?.source : undefined;
  };
  const own = { repository: KATE, branch: 'work', revision: 'HEAD~1', patch: PATCH };
  expect(await sourceOf(own, { gotRevision: 'abc' })).toEqual({ ...own, revision: 'abc' });
  expect(await sourceOf(own, {})).toEqual(own);
  expect(await sourceOf(own, { gotRevision: 'abc', isPinned: false })).toEqual({ repository: KATE, branch: 'work' });
  expect(await sourceOf({ repository: KATE }, {})).toEqual({ repository: KATE, branch: 'main' });
  const others = { repository: OTHER, branch: 'stable' };
  expect(await sourceOf(own, { schedulers: ['other/sub'], gotRevision: 'abc' })).toEqual(others);
  expect(await sourceOf(own, { schedulers: ['plain/sub'], gotRevision: 'abc' })).toEqual({});
});

test('a trigger may name another source, which is checked, and is no part of the build’s changes', async () => {
  const store = await openStore();
  const own = { repository: KATE, branch: 'work', revision: 'abc', patch: PATCH };
  const build = { ...(await claimedBuild(store)), source: own };
  const made = async (source: TriggerArgs['source'], of = 'sub', gotRevision = 'def') =>
    await triggered(store, build, { schedulers: [of], gotRevision, ...(source && { source }) });
  const sourceOf = async (source: TriggerArgs['source'], of?: string): Promise<unknown> => {
    const found = await made(source, of);
    if ('sets' in found) expect(found.sets[0]).not.toHaveProperty('changesOf');
    return 'sets' in found ? found.sets[0]?.source : found.mistake;
  };
  expect(await sourceOf({})).toEqual({ repository: KATE, branch: 'main' });
  expect(await sourceOf({ branch: 'v2' }, 'other/sub')).toEqual({ repository: OTHER, branch: 'v2' });
  expect(await sourceOf({ revision: 'v1.0' })).toEqual({ repository: KATE, branch: 'main', revision: 'v1.0' });
  expect(await sourceOf({ repository: '/x.git' }, 'plain/sub')).toEqual({ repository: '/x.git' });
  expect(await sourceOf({ branch: 'main' }, 'plain/sub')).toMatch(/project plain has no source; name the repository/);
  expect(await sourceOf({ repository: 'ext::sh -c evil' })).toMatch(/cannot be used: git would start a program/);
  expect(await sourceOf({ repository: 'https://a:b@h/x' })).toMatch(/cannot be used: the URL has a password in it/);
  expect(await sourceOf({ repository: '--upload-pack=x' })).toMatch(/must not begin with "-"/);
  expect(await sourceOf({ branch: '-x' })).toMatch(/"-x" is no name of a branch/);
  expect(await sourceOf({ revision: 'a..b' })).toMatch(/"a..b" is no name of a revision/);
});

test('what may be of a fork is no more trusted because a trigger names it', async () => {
  const store = await openStore();
  const build = await claimedBuild(store);
  const head = { branch: 'refs/pull/7/head', revision: 'ab'.repeat(20) };
  const made = await triggered(store, build, { source: head });
  if (!('sets' in made)) throw new Error(made.mistake);
  expect(made.sets[0]?.source).toEqual({ repository: KATE, ...head, untrustedOf: 'somebody' });
  const [[id = 0] = []] = await store.requests.trigger(made.sets);
  expect(await store.requests.find(id)).toMatchObject({ approval: 'needed' });
  expect(await triggered(store, build, { source: { branch: head.branch } })).toEqual({
    mistake: expect.stringMatching(/may be, of a fork: say which revision/) as string,
  });
});

test('of a fork a build hands on what was approved, and never what was pushed since', async () => {
  const store = await openStore();
  const build = await claimedBuild(store);
  const source = { repository: KATE, branch: 'refs/pull/7/head', revision: 'abc', untrustedOf: 'mallory' };
  for (const isPinned of [true, false]) {
    const made = await triggered(store, { ...build, source }, { isPinned, gotRevision: 'def' });
    expect(made).toMatchObject({ sets: [{ source: { branch: 'refs/pull/7/head', revision: 'abc' } }] });
  }
});

test('a set is its scheduler’s, for the changes of its parent where the source is the same', async () => {
  const store = await openStore();
  const build = { ...(await claimedBuild(store)), source: { repository: KATE, branch: 'main' } };
  const made = await triggered(store, build, { schedulers: ['sub', 'other/sub'], properties: { a: 1 } });
  if (!('sets' in made)) throw new Error(made.mistake);
  const [first, second] = made.sets;
  expect(first).toMatchObject({
    scheduler: 'sub',
    reason: 'as a part',
    priority: 3,
    owner: 'anna',
    propertySources: { a: 'trigger' },
    changesOf: build.id,
    builders: [{ project: 'p', builder: 'sub' }],
    parent: { buildId: build.id, key: '0.1.0', waits: true },
  });
  expect(second).toMatchObject({ reason: `triggered by build ${build.id} of p/b`, parent: { key: '0.1.1' } });
  expect(second).not.toHaveProperty('changesOf');
});

test('nothing is triggered by a scheduler that is switched off', async () => {
  const store = await openStore();
  const build = await claimedBuild(store);
  const name = { project: 'other', scheduler: 'sub' };
  await store.schedulers.switch(name, { by: 'ann', reason: 'release', sinceMs: 1_000 }, true);
  expect(await triggered(store, build, { schedulers: ['sub', 'other/sub'] })).toEqual({
    mistake: expect.stringMatching(
      /^nothing is triggered: scheduler other\/sub is switched off by ann since .*: release$/,
    ) as string,
  });
  await store.schedulers.switch(name, undefined, false);
  expect(await triggered(store, build, { schedulers: ['other/sub'] })).toHaveProperty('sets');
});

test('a line of builds is so long and no longer, and comes back to none of its builders', async () => {
  const store = await openStore();
  let build = await claimedBuild(store, 'b1');
  for (let n = 2; n <= LONGEST_LINE; n++) {
    expect(await triggered(store, build, {})).toHaveProperty('sets');
    const parent = { buildId: build.id, key: '0.1.0', waits: n % 2 === 0 };
    const [[id] = []] = await store.requests.trigger([{ ...buildSet(`b${n}`), parent }]);
    build = await store.requests.claim(claimOf(id!));
  }
  expect(await triggered(store, build, {})).toEqual({
    mistake: `nothing is triggered: it would be longer than ${LONGEST_LINE} builds in a line: p/b1 → p/b2 → p/b3 → p/b4 → p/b5 → p/b6 → p/b7 → p/b8 → p/b9 → p/b10 → p/sub`,
  });
  const parent = { buildId: (await claimedBuild(store, 'sub')).id, key: '0.1.0', waits: false };
  const [[id] = []] = await store.requests.trigger([{ ...buildSet('between'), parent }]);
  expect(await triggered(store, await store.requests.claim(claimOf(id!)), {})).toEqual({
    mistake: 'nothing is triggered: it would go in a circle: p/sub → p/between → p/sub',
  });
});
