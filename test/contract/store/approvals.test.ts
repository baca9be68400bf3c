import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { buildSet, claimOf } from '../../support/temp-store.ts';

eachStore('approvals and deliveries', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  const forked = (revision: string, ...builders: string[]) => ({
    ...buildSet(...builders),
    source: { branch: 'refs/pull/7/head', revision, untrustedOf: 'mallory' },
  });
  const approve = (revision: string, project = 'p'): Promise<readonly number[]> =>
    store.approvals.approve({ project, revision, by: 'ann', atMs: 5 });

  it('lets nothing of a fork be claimed before its revision is approved, whoever asks for it', async () => {
    const [request, other] = await store.requests.add(forked('aaa', 'b', 'c'));
    const [newer] = await store.requests.add(forked('bbb', 'b'));
    expect(request).toMatchObject({ approval: 'needed', source: { untrustedOf: 'mallory' } });
    expect(await store.requests.find(request!.id)).toMatchObject({ ...request, state: 'pending' });
    await expect(store.requests.claim(claimOf(request!.id))).rejects.toMatchObject({ code: 'lost-claim' });
    expect(await store.requests.find(request!.id)).toMatchObject({ state: 'pending' });
    expect(await store.builds.running()).toEqual([]);
    expect(await approve('aaa')).toEqual([request!.id, other!.id]);
    expect(await approve('aaa')).toEqual([]);
    expect(await store.approvals.find('p', 'aaa')).toBe('ann');
    expect(await store.approvals.find('p', 'bbb')).toBeUndefined();
    const build = await store.requests.claim(claimOf(request!.id));
    expect(build.source.untrustedOf).toBe('mallory');
    await expect(store.requests.claim(claimOf(newer!.id))).rejects.toMatchObject({ code: 'lost-claim' });
  });

  it('approves for what comes later of the same revision, and for no other project', async () => {
    await approve('aaa', 'q');
    expect((await store.requests.add(forked('aaa', 'b')))[0]).toMatchObject({ approval: 'needed' });
    await approve('aaa');
    expect((await store.requests.add(forked('aaa', 'b')))[0]).toMatchObject({ approval: 'given' });
    expect((await store.requests.add(forked('aaab', 'b')))[0]).toMatchObject({ approval: 'needed' });
    expect((await store.requests.add(buildSet('b')))[0]).not.toHaveProperty('approval');
  });

  it('has a set of several projects wait for each of them', async () => {
    const set = {
      ...forked('aaa'),
      builders: [
        { project: 'p', builder: 'b' },
        { project: 'q', builder: 'b' },
      ],
    };
    const [first, second] = await store.requests.add(set);
    expect(await approve('aaa')).toEqual([]);
    expect(await approve('aaa', 'q')).toEqual([first!.id, second!.id]);
  });

  it('trusts no child of a build of a fork, whatever source it has', async () => {
    await approve('aaa');
    const [request] = await store.requests.add(forked('aaa', 'b'));
    const { id } = await store.requests.claim(claimOf(request!.id));
    const [child] = await store.requests.add({ ...buildSet('c'), parent: { buildId: id, key: '0.1.0', waits: true } });
    expect(child).toMatchObject({ approval: 'given', source: { untrustedOf: 'mallory' } });
  });

  it('keeps what a change says of its kind, its fork and why it is skipped', async () => {
    const change = {
      project: 'p',
      repository: 'r',
      branch: 'refs/pull/7/head',
      revision: 'aaa',
      comments: '',
      files: [],
      filesLeftOut: 1,
      properties: {},
      atMs: 1,
      sentBy: 'hook:github',
      kind: 'pull-request',
      target: 'main',
      isUntrusted: true,
      skipped: '[skip ci]',
    } as const;
    await store.changes.add(change, 'k', []);
    expect(await store.changes.list({ limit: 1 })).toEqual([{ ...change, id: 1 }]);
  });

  it('knows a delivery by any of its keys, in its project, for a while', async () => {
    await store.hookDeliveries.add('p', ['a', 'b'], 1_000);
    await store.hookDeliveries.add('p', ['b', 'c'], 2_000);
    expect(await store.hookDeliveries.isKnown('p', ['x', 'a'])).toBe(true);
    expect(await store.hookDeliveries.isKnown('p', ['x'])).toBe(false);
    expect(await store.hookDeliveries.isKnown('q', ['a'])).toBe(false);
    await store.hookDeliveries.add('p', ['d'], 1_500 + 30 * 86_400_000);
    expect(await store.hookDeliveries.isKnown('p', ['a'])).toBe(false);
    expect(await store.hookDeliveries.isKnown('p', ['c'])).toBe(true);
  });
});
