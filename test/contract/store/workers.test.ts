import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { claimedBuild, emptyLog } from '../../support/temp-store.ts';

eachStore('workers', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  const sid = { name: 'sid', installId: 'i1', bootId: 'b1', processId: 'p1', host: 'vm', facts: { os: 'linux' } };

  it('counts epochs, and lets only the newest detach', async () => {
    expect(await store.workers.attach(sid, 1)).toBe(1);
    expect(await store.workers.attach({ ...sid, processId: 'p2' }, 2)).toBe(2);
    await store.workers.detach('sid', 1, 3);
    expect(await store.workers.find('sid')).toEqual({
      ...sid,
      processId: 'p2',
      epoch: 2,
      isConnected: true,
      sinceMs: 2,
    });
    await store.workers.detach('sid', 2, 4);
    expect(await store.workers.find('sid')).toMatchObject({ isConnected: false, sinceMs: 4 });
    await store.workers.attach(sid, 5);
    await store.workers.detachAll(6);
    expect(await store.workers.list()).toMatchObject([{ epoch: 3, isConnected: false, sinceMs: 6 }]);
    expect(await store.workers.find('hurd')).toBeUndefined();
  });

  it('remembers a longer lease through connections, until it is taken back', async () => {
    await store.workers.attach(sid, 1);
    await store.workers.setLease('sid', 7_200_000);
    await store.workers.attach({ ...sid, processId: 'p2' }, 2);
    expect(await store.workers.find('sid')).toMatchObject({ epoch: 2, leaseMs: 7_200_000 });
    await store.workers.setLease('sid', undefined);
    expect(await store.workers.find('sid')).not.toHaveProperty('leaseMs');
    await expect(store.workers.setLease('hurd', 1)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('marks what the old install may have started when another one comes', async () => {
    await store.workers.attach({ ...sid, name: 'w' }, 1);
    await emptyLog(store, 'unseen');
    await emptyLog(store, 'seen');
    await emptyLog(store, 'done');
    await store.commands.markSeen('seen', 'i0');
    await store.commands.finish('done', null);
    await store.workers.attach({ ...sid, name: 'w', bootId: 'b2' }, 2);
    expect(await store.commands.find('unseen')).not.toHaveProperty('seenBy');
    await store.workers.attach({ ...sid, name: 'w', installId: 'i2' }, 3);
    expect(await store.commands.find('unseen')).toMatchObject({ seenBy: 'i1' });
    expect(await store.commands.find('seen')).toMatchObject({ seenBy: 'i0' });
    expect(await store.commands.find('done')).not.toHaveProperty('seenBy');
  });

  it('raises a fence, above what a worker has seen, for seat and build', async () => {
    const build = await claimedBuild(store);
    expect(await store.workers.raiseFence(build.session)).toBe(2);
    expect(await store.workers.raiseFence(build.session, 41)).toBe(42);
    expect(await store.workers.raiseFence(build.session, 5)).toBe(43);
    expect(await store.workers.seats('w')).toMatchObject([{ session: build.session, fence: 43, buildId: build.id }]);
    expect(await store.workers.seat(build.session)).toMatchObject({ worker: 'w', fence: 43, buildId: build.id });
    expect(await store.workers.seat('nobody')).toBeUndefined();
    expect(await store.builds.find(build.id)).toMatchObject({ fence: 43 });
    await expect(store.workers.raiseFence('nobody')).rejects.toMatchObject({ code: 'not-found' });
  });
});
