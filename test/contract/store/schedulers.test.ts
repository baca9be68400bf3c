import { beforeEach, expect, it } from 'vitest';
import type { ChangeTaker, Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { buildSet, claimOf } from '../../support/temp-store.ts';

eachStore('schedulers', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  const NAME = { project: 'p', scheduler: 's' };
  const FOLLOWER = { project: 'q', scheduler: 'after' };
  let count = 0;

  async function change(atMs: number, over: Partial<ChangeTaker> = {}, branch = 'main'): Promise<number> {
    const told = {
      project: 'p',
      repository: '/p.git',
      branch,
      revision: `r${++count}`,
      comments: '',
      files: [],
      filesLeftOut: 0,
      properties: {},
      atMs,
      sentBy: 'dora',
    };
    const { change: added } = await store.changes.add(told, told.revision, [
      { scheduler: 's', isImportant: true, ...over },
    ]);
    return added.id;
  }

  /** A set of the scheduler whose builds of `b` and `c` ended so; undefined: it goes on. */
  async function set(first: 'success' | 'warnings' | 'failure' | undefined, gotRevision?: string): Promise<number> {
    const requests = await store.requests.add({ ...buildSet('b', 'c'), scheduler: 's' });
    for (const [index, { id }] of requests.entries()) {
      const build = await store.requests.claim(claimOf(id));
      if (gotRevision !== undefined) {
        await store.builds.setProperty(build.id, {
          name: 'got_revision',
          value: `${gotRevision}${index}`,
          source: 'checkout',
        });
      }
      if (index > 0) await store.builds.finish(build.id, 'success', undefined, 9);
      else if (first) await store.builds.finish(build.id, first, undefined, 9);
    }
    return requests[0]?.buildSetId ?? 0;
  }

  it('keeps what waits for each branch, and gives all of it to one set', async () => {
    await change(10, { isImportant: false });
    await change(20);
    const newestId = await change(30);
    await change(25, {}, 'other');
    expect(await store.schedulers.pending()).toEqual([
      { ...NAME, branch: 'main', count: 3, newestId, firstImportantMs: 20, lastImportantMs: 30 },
      { ...NAME, branch: 'other', count: 1, newestId: newestId + 1, firstImportantMs: 25, lastImportantMs: 25 },
    ]);
    const firing = { ...NAME, changes: { branch: 'main', newestId }, set: { ...buildSet('b', 'c'), scheduler: 's' } };
    const fired = await Promise.allSettled([store.schedulers.fire(firing), store.schedulers.fire(firing)]);
    expect(fired.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    const pending = await store.requests.pending();
    expect(pending.map(({ builder, scheduler }) => [builder, scheduler])).toEqual([
      ['b', 's'],
      ['c', 's'],
    ]);
    expect((await store.changes.ofRequest(pending[0]!.id)).map(({ id }) => id)).toEqual([1, 2, 3]);
    expect((await store.schedulers.pending()).map(({ branch }) => branch)).toEqual(['other']);
    expect(await store.schedulers.lastSet(NAME)).toEqual({ id: 1, atMs: 1_000 });
  });

  it('takes nothing when a change came since it was read', async () => {
    const newestId = await change(10);
    await change(20);
    const firing = { ...NAME, changes: { branch: 'main', newestId }, set: buildSet('b') };
    await expect(store.schedulers.fire(firing)).rejects.toMatchObject({ code: 'lost-claim' });
    expect(await store.requests.pending()).toEqual([]);
    expect(await store.schedulers.pending()).toMatchObject([{ count: 2 }]);
  });

  it('joins what was not important by itself with what is built at once', async () => {
    await change(10, { isImportant: false });
    expect(await store.schedulers.pending()).toMatchObject([{ count: 1 }]);
    await change(20, { set: buildSet('b') });
    const [request] = await store.requests.pending();
    expect(await store.changes.ofRequest(request?.id ?? 0)).toHaveLength(2);
    expect(await store.schedulers.pending()).toEqual([]);
  });

  it('moves a timer on once for each time, and not when it was settled otherwise', async () => {
    await store.schedulers.settle({ ...NAME, rule: 'r', nextAtMs: 100 }, undefined);
    await store.schedulers.settle({ ...NAME, rule: 'r', nextAtMs: 999 }, undefined);
    expect(await store.schedulers.list()).toEqual([{ ...NAME, rule: 'r', nextAtMs: 100, fromSetId: 0 }]);
    const firing = { ...NAME, timer: { atMs: 100, nextAtMs: 200 }, set: buildSet('b') };
    const fired = await Promise.allSettled([store.schedulers.fire(firing), store.schedulers.fire(firing)]);
    expect(fired.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(await store.requests.pending()).toHaveLength(1);
    expect(await store.schedulers.list()).toMatchObject([{ nextAtMs: 200, lastAtMs: 100 }]);
    await store.schedulers.fire({ ...NAME, timer: { atMs: 200 } });
    expect((await store.schedulers.list())[0]).toEqual({ ...NAME, rule: 'r', lastAtMs: 200, fromSetId: 0 });
    expect(await store.requests.pending()).toHaveLength(1);
  });

  it('undoes all of a firing when its set cannot be stored', async () => {
    const newestId = await change(10);
    await store.schedulers.settle({ ...NAME, rule: 'r', nextAtMs: 100 }, undefined);
    const wrong = { ...buildSet('b'), reason: null } as unknown as ReturnType<typeof buildSet>;
    const firing = { ...NAME, timer: { atMs: 100 }, changes: { branch: 'main', newestId }, set: wrong };
    await expect(store.schedulers.fire(firing)).rejects.toThrow();
    expect(await store.schedulers.list()).toMatchObject([{ nextAtMs: 100 }]);
    expect(await store.schedulers.pending()).toMatchObject([{ count: 1 }]);
  });

  it('follows each set once when all of it has ended, from when it was told to', async () => {
    await set('success');
    await store.schedulers.settle({ ...FOLLOWER, rule: 'p/s' }, undefined);
    const toFollow = () => store.schedulers.toFollow(FOLLOWER, NAME);
    expect(await toFollow()).toEqual([]);
    const running = await set(undefined);
    const failed = await set('failure');
    const good = await set('warnings', 'sha');
    expect(await toFollow()).toEqual([
      { id: failed, source: { branch: 'main' }, isSuccess: false },
      { id: good, source: { branch: 'main' }, isSuccess: true, gotRevision: 'sha0' },
    ]);
    const follow = { ...FOLLOWER, follows: good, set: { ...buildSet('d'), scheduler: 'after' } };
    const fired = await Promise.allSettled([store.schedulers.fire(follow), store.schedulers.fire(follow)]);
    expect(fired.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await store.schedulers.fire({ ...FOLLOWER, follows: failed });
    expect(await toFollow()).toEqual([]);
    // The one that still runs holds the others' notes, and is followed in its turn.
    expect(await store.schedulers.list()).toMatchObject([{ fromSetId: running - 1 }]);
    const [build] = await store.builds.running();
    await store.builds.finish(build?.id ?? 0, 'success', undefined, 9);
    expect(await toFollow()).toMatchObject([{ id: running, isSuccess: true }]);
    await store.schedulers.fire({ ...FOLLOWER, follows: running });
    expect((await store.schedulers.list())[0]?.fromSetId).toBeGreaterThanOrEqual(running);
    expect(await toFollow()).toEqual([]);
  });

  it('counts what nobody wanted built as success', async () => {
    await store.schedulers.settle({ ...FOLLOWER, rule: 'p/s' }, undefined);
    const end = async (...causes: readonly ('unwanted' | 'upstream')[]): Promise<void> => {
      const requests = await store.requests.add({ ...buildSet(...causes.map((_, n) => `b${n}`)), scheduler: 's' });
      for (const [n, { id }] of requests.entries())
        await store.requests.end(id, { result: 'skipped', cause: causes[n] ?? 'unwanted', summary: 'no' }, 9);
    };
    await end('unwanted', 'unwanted');
    await end('unwanted', 'upstream');
    const followed = await store.schedulers.toFollow(FOLLOWER, NAME);
    expect(followed.map(({ isSuccess }) => isSuccess)).toEqual([true, false]);
  });

  it('hands the changes of a followed set on when it is of the same source', async () => {
    await store.schedulers.settle({ ...FOLLOWER, rule: 'p/s' }, undefined);
    await change(1, { set: { ...buildSet('b'), scheduler: 's' } });
    const [request] = await store.requests.pending();
    const build = await store.requests.claim(claimOf(request?.id ?? 0));
    await store.builds.finish(build.id, 'success', undefined, 9);
    const follows = request?.buildSetId ?? 0;
    const [next] = await store.schedulers.fire({ ...FOLLOWER, follows, set: buildSet('d'), isSameSource: true });
    expect(await store.changes.ofRequest(next?.id ?? 0)).toHaveLength(1);
  });

  it('makes nothing of what is switched off, and forgets what waited for it, if that is wanted', async () => {
    await change(1);
    await store.schedulers.settle({ ...NAME, rule: 'r', nextAtMs: 100 }, undefined);
    const off = { by: 'ann', reason: 'release', sinceMs: 5 };
    expect(await store.schedulers.switch(NAME, off, true)).toBe(1);
    expect(await store.schedulers.list()).toEqual([{ ...NAME, off }]);
    const lost = store.schedulers.fire({ ...NAME, timer: { atMs: 100 }, set: buildSet('b') });
    await expect(lost).rejects.toMatchObject({ code: 'lost-claim' });
    await change(2);
    await change(3, { set: buildSet('b') });
    expect(await store.schedulers.pending()).toEqual([]);
    expect(await store.requests.pending()).toEqual([]);
    await change(4, { isKept: true });
    expect(await store.schedulers.pending()).toMatchObject([{ count: 1 }]);
    await store.schedulers.settle({ ...NAME, rule: 'r', nextAtMs: 200 }, { rule: 'r' });
    expect(await store.schedulers.list()).toEqual([{ ...NAME, off }]);
    expect(await store.schedulers.switch(NAME, undefined, false)).toBe(0);
    expect(await store.schedulers.list()).toEqual([NAME]);
    expect(await store.schedulers.pending()).toMatchObject([{ count: 1 }]);
  });

  it('changes nothing when it is switched as it is already', async () => {
    await store.schedulers.settle({ ...FOLLOWER, rule: 'p/s', nextAtMs: 100 }, undefined);
    const running = await set(undefined);
    const late = await set('success');
    await store.schedulers.fire({ ...FOLLOWER, follows: late });
    const before = await store.schedulers.list();
    expect(await store.schedulers.switch(FOLLOWER, undefined, false)).toBe(0);
    expect(await store.schedulers.list()).toEqual(before);
    const [build] = await store.builds.running();
    await store.builds.finish(build?.id ?? 0, 'success', undefined, 9);
    expect(await store.schedulers.toFollow(FOLLOWER, NAME)).toMatchObject([{ id: running, isSuccess: true }]);
    const off = { by: 'ann', reason: 'release', sinceMs: 5 };
    await store.schedulers.switch(FOLLOWER, off, true);
    await store.schedulers.switch(FOLLOWER, { by: 'bob', sinceMs: 7 }, true);
    expect(await store.schedulers.list()).toEqual([{ ...FOLLOWER, off }]);
  });

  it('keeps nothing but its switch of one that is gone', async () => {
    await change(1);
    await store.schedulers.settle({ ...NAME, rule: 'r', nextAtMs: 100 }, undefined);
    expect(await store.schedulers.forget(NAME)).toBe(1);
    expect(await store.schedulers.list()).toEqual([]);
    await store.schedulers.switch(NAME, { by: 'ann', sinceMs: 5 }, true);
    await store.schedulers.forget(NAME);
    expect(await store.schedulers.list()).toEqual([{ ...NAME, off: { by: 'ann', sinceMs: 5 } }]);
  });

  it('begins a new rule with the changes of its own branch alone', async () => {
    await change(1);
    await change(2, {}, 'other');
    await store.schedulers.settle({ ...NAME, rule: 'r', nextAtMs: 100 }, undefined, 'other');
    expect(await store.schedulers.pending()).toMatchObject([{ branch: 'other' }]);
    await store.schedulers.settle({ ...NAME, rule: 'r', nextAtMs: 90 }, { rule: 'r', nextAtMs: 100 }, 'third');
    expect(await store.schedulers.pending()).toHaveLength(1);
  });

  it('lets nothing have come later than now when the clock was put back', async () => {
    await change(100);
    await change(7);
    await store.schedulers.pullBack(50);
    expect(await store.schedulers.pending()).toMatchObject([{ firstImportantMs: 7, lastImportantMs: 50 }]);
  });
});
