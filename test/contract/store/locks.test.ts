import { beforeEach, expect, it } from 'vitest';
import type { Build } from '../../../src/model/build.ts';
import type { LockAccess, LockTake } from '../../../src/model/lock.ts';
import type { NewBuildSet, Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { buildSet, claimOf } from '../../support/temp-store.ts';

const VPN: LockTake = { key: 'farm/vpn', mode: 'exclusive', units: 1, slots: 1 };
const ram = (units: number, slots = 4): LockTake => ({ key: 'host/ram/iron', mode: 'counting', units, slots });
const VPN_ACCESS: LockAccess = { lock: 'vpn', scope: 'farm', mode: 'exclusive', units: 1 };
const LOST = { code: 'lost-claim' };

eachStore('locks', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  async function request(set: Partial<NewBuildSet> = {}): Promise<number> {
    const [added] = await store.requests.add({ ...buildSet('b'), ...set });
    return added!.id;
  }

  async function claim(...locks: readonly LockTake[]): Promise<Build> {
    return await store.requests.claim({ ...claimOf(await request()), locks });
  }

  /** A build that this one waits for. */
  async function child(parent: Build, ...locks: readonly LockTake[]): Promise<Build> {
    const id = await request({ parent: { buildId: parent.id, key: `${parent.id}.${Math.random()}`, waits: true } });
    return await store.requests.claim({ ...claimOf(id), locks });
  }

  /** A build whose first step waits. */
  async function waiting(atMs = 3_000, ...locks: readonly LockTake[]): Promise<{ buildId: number; step: number }> {
    const { id } = await claim(...locks);
    await store.builds.startStep(id, 0, atMs);
    const owner = { buildId: id, step: 0 };
    expect(await store.locks.wait(owner, [VPN_ACCESS], atMs)).toEqual({ kind: 'waits' });
    return owner;
  }

  const held = async (): Promise<readonly (readonly [string, number, number | undefined])[]> =>
    (await store.locks.claims()).map(({ key, owner, units }) => [`${key} ${units}`, owner.buildId, owner.step]);

  it('a build holds its locks from its claim to its end, and nobody else has them', async () => {
    const build = await claim(VPN, ram(3));
    expect(await store.locks.claims()).toEqual([
      { key: 'farm/vpn', owner: { buildId: build.id }, mode: 'exclusive', units: 1, sinceMs: 2_000 },
      { key: 'host/ram/iron', owner: { buildId: build.id }, mode: 'counting', units: 3, sinceMs: 2_000 },
    ]);
    await expect(claim(VPN)).rejects.toMatchObject(LOST);
    await expect(claim(ram(2))).rejects.toMatchObject(LOST);
    const beside = await claim(ram(1));
    await store.builds.finish(build.id, 'success', undefined, 3_000);
    expect(await held()).toEqual([['host/ram/iron 1', beside.id, undefined]]);
    await store.builds.finish(build.id, 'success', undefined, 4_000);
    expect((await claim(VPN, ram(3))).id).toBeGreaterThan(beside.id);
  });

  it('of many claims as many win as there is room for, and the others take nothing', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => request()));
    const claims = ids.map((id) =>
      store.requests.claim({ ...claimOf(id), locks: [ram(1), { ...VPN, mode: 'counting', slots: 3 }] }),
    );
    const settled = await Promise.allSettled(claims);
    const won = settled.filter(({ status }) => status === 'fulfilled');
    expect(won).toHaveLength(3);
    expect(await held()).toHaveLength(6);
    expect(await store.requests.pending()).toHaveLength(17);
    expect(await store.workers.seats()).toHaveLength(3);
  });

  it('a build that is retried has let go, and takes its locks anew', async () => {
    const id = await request();
    const first = await store.requests.claim({ ...claimOf(id), locks: [VPN] });
    await store.builds.finish(first.id, 'retry', 'worker w was lost', 3_000);
    expect(await held()).toEqual([]);
    const again = await store.requests.claim({ ...claimOf(id), locks: [VPN] });
    expect(await held()).toEqual([['farm/vpn 1', again.id, undefined]]);
  });

  it('a step waits once, keeps its place, and is granted all of its locks or none', async () => {
    const holder = await claim(VPN);
    const owner = await waiting();
    expect(await store.locks.wait(owner, [], 9_000)).toEqual({ kind: 'waits' });
    expect(await store.locks.waits()).toMatchObject([
      { owner, accesses: [VPN_ACCESS], worker: 'w', priority: 0, rankAtMs: 1_000, sinceMs: 3_000 },
    ]);
    await expect(store.locks.grant(owner, [ram(1), VPN], 4_000)).rejects.toMatchObject(LOST);
    expect(await held()).toEqual([['farm/vpn 1', holder.id, undefined]]);
    await store.builds.finish(holder.id, 'success', undefined, 5_000);
    await store.locks.grant(owner, [ram(1), VPN], 5_500);
    expect(await store.locks.find(owner)).toEqual({ kind: 'granted' });
    expect(await store.locks.waits()).toEqual([]);
    expect(await held()).toEqual([
      ['farm/vpn 1', owner.buildId, 0],
      ['host/ram/iron 1', owner.buildId, 0],
    ]);
    // Twice is once.
    await expect(store.locks.grant(owner, [ram(1), VPN], 6_000)).rejects.toMatchObject(LOST);
    expect(await store.locks.wait(owner, [], 6_000)).toEqual({ kind: 'granted' });
    expect(await held()).toHaveLength(2);
    const [step] = await store.builds.steps(owner.buildId);
    expect(step).toMatchObject({ startedAtMs: 3_000, lockWaitSinceMs: 3_000, lockWaitMs: 2_500 });
  });

  it('what a step holds goes with its end, what its build holds stays, and nothing of others goes', async () => {
    const other = await claim(ram(1));
    const owner = await waiting(3_000, VPN);
    await store.locks.grant(owner, [ram(2)], 3_000);
    await store.builds.finishStep(owner.buildId, 0, 'success', undefined, 4_000);
    await store.builds.finishStep(owner.buildId, 0, 'success', undefined, 4_000);
    expect(await held()).toEqual([
      ['host/ram/iron 1', other.id, undefined],
      ['farm/vpn 1', owner.buildId, undefined],
    ]);
    expect(await store.locks.find(owner)).toEqual({ kind: 'none' });
  });

  it.each(['its end', 'the end of its build'])('a step that waits no more, by %s, is given nothing', async (by) => {
    const owner = await waiting();
    if (by === 'its end') await store.builds.finishStep(owner.buildId, 0, 'cancelled', 'enough', 4_000);
    else await store.builds.finish(owner.buildId, 'cancelled', 'enough', 4_000);
    expect(await store.locks.waits()).toEqual([]);
    await expect(store.locks.grant(owner, [VPN], 5_000)).rejects.toMatchObject(LOST);
    expect(await held()).toEqual([]);
    if (by === 'its end') expect((await store.builds.steps(owner.buildId))[0]).toMatchObject({ lockWaitMs: 1_000 });
    await claim(VPN);
  });

  it('a step that is refused waits no more, and is told why', async () => {
    const owner = await waiting();
    await store.locks.refuse(owner, 'it would wait for itself');
    expect(await store.locks.find(owner)).toEqual({ kind: 'refused', why: 'it would wait for itself' });
    expect(await store.locks.waits()).toEqual([]);
    await expect(store.locks.grant(owner, [VPN], 5_000)).rejects.toMatchObject(LOST);
    await expect(store.locks.refuse(owner, 'again')).rejects.toMatchObject(LOST);
    expect(await store.locks.wait(owner, [], 6_000)).toMatchObject({ kind: 'refused' });
    await store.builds.finishStep(owner.buildId, 0, 'exception', 'it would wait for itself', 7_000);
    expect(await store.locks.find(owner)).toEqual({ kind: 'none' });
  });

  it('a child borrows what those hold that wait for it, and no more', async () => {
    const parent = await claim(VPN, ram(2));
    const other = await claim(ram(2));
    await expect(claim(VPN)).rejects.toMatchObject(LOST);
    const first = await child(parent, VPN, ram(1));
    await expect(child(parent, VPN)).rejects.toMatchObject(LOST);
    await expect(child(parent, ram(2))).rejects.toMatchObject(LOST);
    const grandchild = await child(first, VPN, ram(1));
    expect((await store.locks.claims()).find(({ owner }) => owner.buildId === grandchild.id)).toMatchObject({
      parent: first.id,
    });
    // More than is lent: only of what is free.
    await store.builds.finish(other.id, 'success', undefined, 3_000);
    await child(parent, ram(2));
    await expect(claim(ram(2))).rejects.toMatchObject(LOST);
    // The parent was stopped: what its children have they keep.
    await store.builds.finish(parent.id, 'cancelled', undefined, 4_000);
    await expect(claim(VPN)).rejects.toMatchObject(LOST);
    await expect(claim(ram(2))).rejects.toMatchObject(LOST);
    await claim(ram(1));
  });

  it('nothing is borrowed over a build that has ended: who waited for that one waits for nobody any more', async () => {
    const first = await claim(VPN);
    const between = await child(first);
    const { id } = await child(between);
    await store.builds.startStep(id, 0, 3_000);
    const owner = { buildId: id, step: 0 };
    await store.locks.wait(owner, [VPN_ACCESS], 3_000);
    await store.builds.finish(between.id, 'cancelled', undefined, 3_000);
    await expect(store.locks.grant(owner, [VPN], 4_000)).rejects.toMatchObject(LOST);
    await store.builds.finish(first.id, 'success', undefined, 5_000);
    await store.locks.grant(owner, [VPN], 6_000);
  });

  it('fewer slots than are held: nobody new until it fits; none wanted is always granted', async () => {
    const builds = [await claim(ram(2)), await claim(ram(2))];
    await claim(ram(0));
    expect(await held()).toHaveLength(2);
    await expect(claim(ram(1, 2))).rejects.toMatchObject(LOST);
    await child(builds[0]!, ram(2, 2));
    await store.builds.finish(builds[1]!.id, 'success', undefined, 3_000);
    await expect(claim(ram(1, 2))).rejects.toMatchObject(LOST);
    await claim(ram(1, 3));
  });

  it('masters on one database never give out more than there is', async () => {
    const other = await current.temp.open();
    const ids = await Promise.all(Array.from({ length: 10 }, () => request()));
    const stores = [store, other];
    const claims = ids.map((id, n) => stores[n % 2]!.requests.claim({ ...claimOf(id), locks: [ram(1), VPN] }));
    const won = (await Promise.allSettled(claims)).filter(({ status }) => status === 'fulfilled');
    expect(won).toHaveLength(1);
    expect(await other.locks.claims()).toEqual(await store.locks.claims());
    expect(await held()).toHaveLength(2);
  });

  it('two steps of builds, and a build, never have an exclusive lock together, whoever asks first', async () => {
    const owners = await Promise.all([waiting(), waiting()]);
    const id = await request();
    const settled = await Promise.allSettled([
      ...owners.map((owner) => store.locks.grant(owner, [VPN], 4_000)),
      store.requests.claim({ ...claimOf(id), locks: [VPN] }),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await held()).toHaveLength(1);
    expect(await store.locks.waits()).toHaveLength(1);
  });
});
