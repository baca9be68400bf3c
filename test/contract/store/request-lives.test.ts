import { beforeEach, expect, it } from 'vitest';
import type { BuildRequest } from '../../../src/model/build-request.ts';
import { BUILDER_RULES } from '../../../src/model/request-rules.ts';
import type { BuilderRules, SchedulerRules } from '../../../src/model/request-rules.ts';
import { RETRY_RULES } from '../../../src/model/retry.ts';
import type { Aside, NewBuildSet, Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { buildSet, claimOf, claimedBuild } from '../../support/temp-store.ts';

const REPOSITORY = 'https://git.example.org/x.git';
const PATCH = { id: '01JDPATCH', sha256: 'ab'.repeat(32), bytes: 3 };
const CHANGE = {
  repository: REPOSITORY,
  branch: 'main',
  comments: '',
  files: [],
  filesLeftOut: 0,
  properties: {},
  atMs: 1,
  sentBy: 'hook',
};

eachStore('what becomes of requests', (current) => {
  let store: Store;
  let asides: Aside[];
  let changes = 0;
  beforeEach(async () => {
    store = current.store;
    asides = [];
    store.onAside((aside) => asides.push(aside));
    await store.configs.put({ hash: 'c0ffee', bundle: new Uint8Array(), atMs: 1 });
  });

  /** Makes these the rules of builder `b` of project `p`, and of its schedulers. */
  async function rules(builder: Partial<BuilderRules>, schedulers: Readonly<Record<string, SchedulerRules>> = {}) {
    await store.configs.activate('c0ffee', {}, [
      { noun: 'builder', project: 'p', name: 'b', rules: { ...BUILDER_RULES, ...builder } },
      ...Object.entries(schedulers).map(
        ([name, own]) => ({ noun: 'scheduler', project: 'p', name, rules: own }) as const,
      ),
    ]);
  }

  const takerOf = (set: NewBuildSet) => ({ scheduler: set.scheduler ?? 's', isImportant: true, set });

  /** A set with a request of builder `b`, made for a change of its own. */
  async function changed(over: Partial<NewBuildSet> = {}): Promise<number> {
    const revision = `r${++changes}`;
    const set = { ...buildSet('b'), source: { repository: REPOSITORY, branch: 'main', revision }, ...over };
    const change = { ...CHANGE, project: set.builders[0]!.project, branch: set.source.branch ?? '', revision };
    const { requests } = await store.changes.add(change, revision, [takerOf(set)]);
    return requests[0]!;
  }

  /** The same without a change. */
  async function added(over: Partial<NewBuildSet> = {}): Promise<number> {
    const [request] = await store.requests.add({ ...buildSet('b'), ...over });
    return request!.id;
  }

  async function fates(...ids: readonly number[]): Promise<readonly (string | undefined)[]> {
    const found = await Promise.all(ids.map((id) => store.requests.find(id)));
    return found.map((one) => one?.cause ?? one?.result ?? one?.state);
  }

  async function pendingIds(): Promise<readonly number[]> {
    return (await store.requests.pending()).map(({ id }: BuildRequest) => id);
  }

  it('collapses nothing if nobody says so', async () => {
    const ids = [await changed(), await changed()];
    expect(await pendingIds()).toEqual(ids);
  });

  it('collapses what waits into the newest request of its branch, which is built with the changes of all', async () => {
    await rules({ collapses: true });
    const [first, second, third] = [await changed(), await changed(), await changed()];
    expect(await pendingIds()).toEqual([third]);
    for (const id of [first, second]) {
      const end = { state: 'finished', result: 'skipped', cause: 'collapsed', collapsedInto: third };
      expect(await store.requests.find(id)).toMatchObject(end);
    }
    expect((await store.requests.find(first))?.summary).toBe(`collapsed into request ${third}`);
    expect(await store.requests.collapsed([third])).toEqual(new Map([[third, [first, second]]]));
    expect((await store.changes.ofRequest(third)).map(({ revision }) => revision)).toHaveLength(3);
    expect(asides.map((aside) => aside.kind)).toEqual(['ended', 'ended']);
    await expect(store.requests.claim(claimOf(first))).rejects.toMatchObject({ code: 'lost-claim' });
  });

  it('has what is built again, or after it, made for the changes of all that it was built in place of', async () => {
    await rules({ collapses: true }, { s: { origin: 'change', cancelsRest: false } });
    const follower = { project: 'p', scheduler: 'after' };
    await store.schedulers.settle({ ...follower, rule: 'p/s' }, undefined);
    await changed();
    const build = await store.requests.claim(claimOf(await changed({ scheduler: 's' })));
    await store.builds.finish(build.id, 'success', undefined, 9);
    const again = await added({ rebuiltOf: build.id, changesOf: build.id });
    const set = { ...buildSet('d'), scheduler: 'after' };
    const [next] = await store.schedulers.fire({ ...follower, follows: build.buildSetId, set, isSameSource: true });
    expect(await store.changes.ofRequest(again)).toHaveLength(2);
    expect(await store.changes.ofRequest(next?.id ?? 0)).toHaveLength(2);
  });

  it('collapses nothing into what is of an earlier change, which would not be built then', async () => {
    await rules({ collapses: true });
    const taker = { scheduler: 'quiet', isImportant: true };
    const { change } = await store.changes.add({ ...CHANGE, project: 'p', revision: 'early' }, 'early', [taker]);
    const late = await changed();
    const set = { ...buildSet('b'), source: { repository: REPOSITORY, branch: 'main', revision: 'early' } };
    const changesOf = { branch: 'main', newestId: change.id };
    const [quiet] = await store.schedulers.fire({ project: 'p', scheduler: 'quiet', changes: changesOf, set });
    expect(await fates(late, quiet?.id ?? 0)).toEqual(['pending', 'pending']);
    const last = await changed();
    expect(await fates(late, quiet?.id ?? 0, last)).toEqual(['collapsed', 'collapsed', 'pending']);
  });

  it('gives the newer request the place in the queue of those that it is built in place of', async () => {
    await rules({ collapses: true });
    await changed({ atMs: 500 });
    await changed({ atMs: 700 });
    await changed({ atMs: 900 });
    expect(await store.requests.pending()).toMatchObject([{ submittedAtMs: 900, rankAtMs: 500 }]);
  });

  it('collapses children that are waited for only with those of the same parent, and for the same worker', async () => {
    await rules({ collapses: true });
    const parents = [await claimedBuild(store, 'c'), await claimedBuild(store, 'c')];
    const child = (parent: number, key: string, over: Partial<NewBuildSet> = {}): Promise<number> =>
      added({ parent: { buildId: parents[parent]!.id, waits: true, key }, ...over });
    const ids = [await child(0, '1'), await child(1, '1'), await child(0, '2', { worker: 'v' }), await child(0, '3')];
    expect(await fates(...ids)).toEqual(['collapsed', 'pending', 'pending', 'pending']);
  });

  it('collapses nothing into what a build of a fork has triggered, which is given no secrets', async () => {
    await rules({ collapses: true }, { nightly: { origin: 'time', cancelsRest: false } });
    const [fork] = await store.requests.add({ ...buildSet('c'), source: { revision: 'r', untrustedOf: 'mallory' } });
    await store.approvals.approve({ project: 'p', revision: 'r', by: 'ann', atMs: 1 });
    const parent = await store.requests.claim(claimOf(fork!.id));
    const source = { repository: REPOSITORY, branch: 'main' };
    const nightly = await added({ source, scheduler: 'nightly' });
    const child = await added({ source, parent: { buildId: parent.id, waits: false, key: '1' } });
    expect((await store.requests.find(child))?.source.untrustedOf).toBe('mallory');
    expect(await fates(nightly, child)).toEqual(['pending', 'pending']);
  });

  it('never tries a child again whose parent waited for it and has ended', async () => {
    const parent = await claimedBuild(store, 'c');
    const ids = [true, false].map((waits) => added({ parent: { buildId: parent.id, waits, key: String(waits) } }));
    const builds = [];
    for (const id of ids) builds.push(await store.requests.claim(claimOf(await id)));
    await store.builds.finish(parent.id, 'success', undefined, 5);
    for (const { id } of builds) await store.builds.finish(id, 'retry', 'worker w was lost', 6);
    expect(await fates(...builds.map(({ requestId }) => requestId))).toEqual(['cancelled', 'lost']);
  });

  it('does not collapse what runs', async () => {
    await rules({ collapses: true });
    const first = await changed();
    await store.requests.claim(claimOf(first));
    const second = await changed();
    expect(await fates(first, second)).toEqual(['claimed', 'pending']);
  });

  /** Each of these before an ordinary change: what differs, and whether it is collapsed nevertheless. */
  const BEFORE: readonly (readonly [string, Partial<NewBuildSet>, boolean])[] = [
    ['alike', {}, true],
    ['of another branch', { source: { repository: REPOSITORY, branch: 'next' } }, false],
    ['of another repository', { source: { repository: '/elsewhere', branch: 'main' } }, false],
    ['of a tag', { source: { repository: REPOSITORY, branch: 'refs/tags/v1' } }, false],
    ['with a patch', { source: { repository: REPOSITORY, branch: 'main', patch: PATCH } }, false],
    ['with another property', { properties: { target: 'release' } }, false],
    ['by another builder', { builders: [{ project: 'p', builder: 'c' }] }, false],
    ['of another project', { builders: [{ project: 'q', builder: 'b' }] }, false],
    ['of a higher priority, for another reason', { priority: 7, reason: 'other' }, true],
  ];
  it.each(BEFORE)('collapses by what is built: a change %s', async (_what, over, isCollapsed) => {
    await rules({ collapses: true });
    const older = await changed(over);
    const newer = await changed();
    expect(await fates(older, newer)).toEqual([isCollapsed ? 'collapsed' : 'pending', 'pending']);
  });

  it('collapses sets without changes when their revision is the same, and never with one of changes', async () => {
    const timed = { scheduler: 'nightly', source: { repository: REPOSITORY, branch: 'main', revision: 'r' } };
    await rules({ collapses: true }, { nightly: { origin: 'time', cancelsRest: false } });
    const first = await added(timed);
    const other = await added({ ...timed, source: { ...timed.source, revision: 's' } });
    const second = await added(timed);
    const change = await changed();
    expect(await fates(first, other, second, change)).toEqual(['collapsed', 'pending', 'pending', 'pending']);
  });

  it('collapses nothing that somebody asked for, nor into it', async () => {
    await rules({ collapses: true });
    const source = { repository: REPOSITORY, branch: 'main' };
    const ids = [await added({ source }), await changed(), await added({ source }), await added({ source })];
    expect(await pendingIds()).toEqual(ids);
  });

  it('cancels what waits for an older change of the branch, and leaves what runs', async () => {
    await rules({ supersedes: 'waiting' });
    const runs = await changed();
    await store.requests.claim(claimOf(runs));
    const [older, elsewhere] = [await changed(), await changed({ source: { repository: REPOSITORY, branch: 'next' } })];
    const newer = await changed({ properties: { a: 1 } });
    expect(await fates(runs, older, elsewhere, newer)).toEqual(['claimed', 'superseded', 'pending', 'pending']);
    const end = await store.requests.find(older);
    expect(end).toMatchObject({
      result: 'cancelled',
      summary: expect.stringMatching(/^superseded by change 4 \(r\d+\)/),
    });
    expect((await store.builds.running())[0]).not.toHaveProperty('stopReason');
  });

  it('does not take one scheduler for newer than another that wants the same change', async () => {
    await rules({ supersedes: 'running' });
    const set = { ...buildSet('b'), source: { repository: REPOSITORY, branch: 'main', revision: 'r' } };
    const change = { ...CHANGE, project: 'p', revision: 'r' };
    const { requests } = await store.changes.add(change, 'k', [
      takerOf(set),
      takerOf({ ...set, properties: { nightly: true } }),
    ]);
    expect(await pendingIds()).toEqual(requests);
  });

  it('asks what is being built for an older change to end, if that is wanted, once', async () => {
    await rules({ supersedes: 'running' });
    const build = await store.requests.claim(claimOf(await changed()));
    await changed();
    await changed();
    const running = await store.builds.find(build.id);
    expect(running?.stopReason).toMatch(/^superseded by change 2 /);
    expect(asides.filter(({ kind }) => kind === 'stopping')).toHaveLength(2);
    await store.builds.finish(build.id, 'retry', 'worker w was lost', 5);
    expect(await store.builds.find(build.id)).toMatchObject({ result: 'cancelled', summary: running?.stopReason });
  });

  it('supersedes no tag, no try, nothing by the clock, and nothing that somebody asked for', async () => {
    await rules({ supersedes: 'running' }, { nightly: { origin: 'time', cancelsRest: false } });
    const source = { repository: REPOSITORY, branch: 'main' };
    const tag = { source: { repository: REPOSITORY, branch: 'refs/tags/v1' } };
    const ids = [
      await added({ source }),
      await added({ source: { ...source, patch: PATCH } }),
      await added({ source, scheduler: 'nightly' }),
      await changed(tag),
      await changed(tag),
      await changed(),
    ];
    expect(await pendingIds()).toEqual(ids);
  });

  it('cancels the rest of a set with its first failure, if its scheduler says so', async () => {
    await rules({}, { main: { origin: 'change', cancelsRest: true }, other: { origin: 'change', cancelsRest: false } });
    for (const [scheduler, wanted] of [
      ['main', ['failure', 'claimed', 'rest']],
      ['other', ['failure', 'claimed', 'pending']],
    ] as const) {
      const set = await store.requests.add({ ...buildSet('b', 'c', 'd'), scheduler });
      const [b, c] = set.map(({ id }) => id);
      const build = await store.requests.claim(claimOf(b!));
      const other = await store.requests.claim(claimOf(c!));
      await store.builds.finish(build.id, 'failure', 'make: exit 2', 9);
      expect(await fates(...set.map(({ id }) => id))).toEqual(wanted);
      const { stopReason } = (await store.builds.find(other.id))!;
      const reason = `cancelled with the rest of its build set: p/b, request ${b}, ended as failure`;
      expect(stopReason).toBe(scheduler === 'main' ? reason : undefined);
    }
  });

  it('tries again by cause, so often for each, with pauses that double', async () => {
    const retry = { lost: 1, exception: 1, failure: 2, pauseMs: 1_000 };
    const id = await added();
    const ends = ['failure', 'retry', 'failure', 'exception'] as const;
    const told: unknown[] = [];
    for (const [n, result] of ends.entries()) {
      const build = await store.requests.claim(claimOf(id));
      await store.builds.finish(build.id, result, 'so', 10_000, retry);
      const { result: ended, retryCause, summary } = (await store.builds.find(build.id))!;
      const request = await store.requests.find(id);
      told.push([ended, retryCause, summary, request?.state, request?.cause, request?.notBeforeMs]);
      expect(told).toHaveLength(n + 1);
    }
    expect(told).toEqual([
      ['retry', 'failure', 'so; retried: failure 1 of 2', 'pending', 'failure', 11_000],
      ['retry', 'lost', 'so', 'pending', 'lost', 12_000],
      ['retry', 'failure', 'so; retried: failure 2 of 2', 'pending', 'failure', 14_000],
      ['retry', 'exception', 'so; retried: exception 1 of 1', 'pending', 'exception', 18_000],
    ]);
    const last = await store.requests.claim(claimOf(id));
    await store.builds.finish(last.id, 'failure', 'so', 20_000, retry);
    const end = await store.builds.find(last.id);
    expect(end).toMatchObject({ result: 'failure', summary: 'so; not retried again: the request has had 5 builds' });
    expect(end).not.toHaveProperty('retryCause');
    expect(await store.requests.find(id)).toMatchObject({ state: 'finished', result: 'failure' });
  });

  it('cancels the rest of a set when a retry is given up, not before', async () => {
    await rules({}, { main: { origin: 'change', cancelsRest: true } });
    const [b, c] = await store.requests.add({ ...buildSet('b', 'c'), scheduler: 'main' });
    const retry = { lost: 0, exception: 0, failure: 1, pauseMs: 0 };
    for (const wanted of [
      ['failure', 'pending'],
      ['failure', 'rest'],
    ]) {
      const build = await store.requests.claim(claimOf(b!.id));
      await store.builds.finish(build.id, 'failure', undefined, 9, retry);
      expect(await fates(b!.id, c!.id)).toEqual(wanted);
    }
  });

  it('keeps when a request is given up, by its scheduler or its builder, and counts anew when it is retried', async () => {
    await rules({ queueForMs: 5_000 }, { quick: { origin: 'change', cancelsRest: false, queueForMs: 100 } });
    const [slow, quick] = [await added(), await added({ scheduler: 'quick' })];
    expect(await store.requests.nextDeadline()).toEqual({ id: quick, deadlineMs: 1_100 });
    await store.requests.end(quick, { result: 'exception', cause: 'deadline', summary: 'too late' }, 1_100);
    expect(await store.requests.find(quick)).toMatchObject({ result: 'exception', summary: 'too late' });
    expect(await store.requests.nextDeadline()).toEqual({ id: slow, deadlineMs: 6_000 });
    const build = await store.requests.claim(claimOf(slow));
    expect(await store.requests.nextDeadline()).toBeUndefined();
    await store.builds.finish(build.id, 'retry', undefined, 9_000);
    expect(await store.requests.nextDeadline()).toEqual({ id: slow, deadlineMs: 14_000 });
    const pause = { ...RETRY_RULES, pauseMs: 500 };
    for (const [atMs, deadlineMs, rules] of [
      [20_000, 25_000, RETRY_RULES],
      [30_000, 37_000, pause],
      [40_000, 45_000, RETRY_RULES],
    ] as const) {
      const { id } = await store.requests.claim(claimOf(slow));
      await store.builds.finish(id, 'retry', undefined, atMs, rules);
      expect(await store.requests.nextDeadline()).toEqual({ id: slow, deadlineMs });
    }
  });

  it('stops a whole set: what waits is cancelled, what runs is asked to end', async () => {
    const [b, c, d] = await store.requests.add(buildSet('b', 'c', 'd'));
    const done = await store.requests.claim(claimOf(d!.id));
    await store.builds.finish(done.id, 'success', undefined, 5);
    const build = await store.requests.claim(claimOf(b!.id));
    expect(await store.requests.stopSet(b!.buildSetId, 'enough', 9)).toBe(2);
    expect(await fates(b!.id, c!.id, d!.id)).toEqual(['claimed', 'stopped', 'success']);
    expect(await store.builds.find(build.id)).toMatchObject({ stopReason: 'enough' });
    expect((await store.requests.ofSet(b!.buildSetId)).map(({ id }) => id)).toEqual([b!.id, c!.id, d!.id]);
    await store.builds.finish(build.id, 'cancelled', 'enough', 10);
    expect(await store.requests.stopSet(b!.buildSetId, 'enough', 11)).toBe(0);
    expect(await store.requests.ofSet(4711)).toEqual([]);
  });

  /** Project `p` depends on `up`. */
  const upstream = { builders: [{ project: 'up', builder: 'b' }] };

  it('waits for the newest change of each builder upstream that was there before, and for nothing later', async () => {
    await rules({ upstreams: ['up'] });
    const [old, last, other] = [
      await changed(upstream),
      await changed(upstream),
      await changed({ builders: [{ project: 'up', builder: 'c' }] }),
    ];
    const mine = await changed();
    await changed(upstream);
    const forced = await added();
    expect(await store.requests.upstreams()).toEqual(
      new Map([
        [
          mine,
          [
            { id: last, project: 'up', builder: 'b' },
            { id: other, project: 'up', builder: 'c' },
          ],
        ],
      ]),
    );
    expect(await fates(old, forced)).toEqual(['pending', 'pending']);
    const build = await store.requests.claim(claimOf(last));
    expect((await store.requests.upstreams()).get(mine)?.[0]).toMatchObject({ buildId: build.id });
    await store.builds.finish(build.id, 'failure', undefined, 5);
    await store.requests.cancel(other, 'enough', 6);
    expect(await store.requests.upstreams()).toEqual(new Map());
    expect(await fates(mine)).toEqual(['pending']);
  });

  it('waits for the newest change of each branch upstream, and for no fork, whose approval may never come', async () => {
    await rules({ upstreams: ['up'] });
    const of = (branch: string, untrustedOf?: string): Partial<NewBuildSet> => ({
      ...upstream,
      source: { repository: REPOSITORY, branch, revision: 'r', ...(untrustedOf !== undefined && { untrustedOf }) },
    });
    const main = await changed(of('main'));
    const other = await changed(of('other'));
    const fork = await changed(of('refs/pull/7/head', 'mallory'));
    const mine = await changed();
    expect((await store.requests.find(fork))?.approval).toBe('needed');
    expect((await store.requests.upstreams()).get(mine)?.map(({ id }) => id)).toEqual([main, other]);
  });

  it('skips what needs a change upstream that failed, and what needs that', async () => {
    await store.configs.activate('c0ffee', {}, [
      {
        noun: 'builder',
        project: 'p',
        name: 'b',
        rules: { ...BUILDER_RULES, upstreams: ['up'], needsUpstreams: true },
      },
      { noun: 'builder', project: 'q', name: 'b', rules: { ...BUILDER_RULES, upstreams: ['p'], needsUpstreams: true } },
    ]);
    const [up, mine, last] = [
      await changed(upstream),
      await changed(),
      await changed({ builders: [{ project: 'q', builder: 'b' }] }),
    ];
    const build = await store.requests.claim(claimOf(up));
    await store.builds.finish(build.id, 'failure', undefined, 5);
    expect(await fates(mine, last)).toEqual(['upstream', 'upstream']);
    expect(await store.requests.find(last)).toMatchObject({
      result: 'skipped',
      summary: `not built, for what it depends on failed: p/b, request ${mine}, ended as skipped`,
    });
    expect(await store.requests.upstreams()).toEqual(new Map());
  });

  it('waits for the newer request when one upstream is collapsed or superseded', async () => {
    for (const rule of [{ collapses: true }, { supersedes: 'running' }] as const) {
      await store.configs.activate('c0ffee', {}, [
        {
          noun: 'builder',
          project: 'p',
          name: 'b',
          rules: { ...BUILDER_RULES, upstreams: ['up'], needsUpstreams: true },
        },
        { noun: 'builder', project: 'up', name: 'b', rules: { ...BUILDER_RULES, ...rule } },
      ]);
      await changed(upstream);
      const mine = await changed();
      const newer = await changed(upstream);
      expect((await store.requests.upstreams()).get(mine)).toMatchObject([{ id: newer }]);
      await store.requests.cancel(newer, 'enough', 6);
      expect(await fates(mine)).toEqual(['upstream']);
    }
  });
});
