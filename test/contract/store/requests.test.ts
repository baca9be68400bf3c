import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { buildSet, claimOf, claimedBuild } from '../../support/temp-store.ts';

eachStore('requests', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  it('adds a set as a request a builder, oldest first', async () => {
    const source = { repository: 'https://git.example.org/x.git', revision: 'abc' };
    const added = await store.requests.add({ ...buildSet('b', 'c'), source, properties: { a: [1] } });
    const [later] = await store.requests.add(buildSet('b'));
    expect(added.map((request) => request.builder)).toEqual(['b', 'c']);
    expect(added[0]).toMatchObject({ source, properties: { a: [1] }, owner: 'anna', submittedAtMs: 1_000 });
    expect(await store.requests.pending()).toEqual([...added, later]);
    expect(await store.requests.find(added[0]!.id)).toEqual({ ...added[0], state: 'pending' });
    expect(await store.requests.find(4711)).toBeUndefined();
  });

  it('keeps which patch a request wants, and names it until its last request has ended', async () => {
    const patch = { id: '01JDPATCH', sha256: 'ab'.repeat(32), bytes: 33_000_000_000 };
    const source = { repository: 'https://git.example.org/x.git', revision: 'abc', patch };
    const added = await store.requests.add({ ...buildSet('b', 'c'), source });
    await store.requests.add(buildSet('b'));
    expect(await store.requests.pending()).toMatchObject([{ source }, { source }, { source: { branch: 'main' } }]);
    expect(await store.requests.patchesInUse()).toEqual([patch.id]);
    const build = await store.requests.claim(claimOf(added[0]!.id));
    expect(build.source).toEqual(source);
    expect(await store.builds.find(build.id)).toEqual(build);
    await store.requests.cancel(added[1]!.id, 'enough', 9);
    expect(await store.requests.patchesInUse()).toEqual([patch.id]);
    await store.builds.finish(build.id, 'success', undefined, 3_000);
    expect(await store.requests.patchesInUse()).toEqual([]);
  });

  it('lets one of many claims win', async () => {
    const [request] = await store.requests.add(buildSet('b'));
    const claims = Array.from({ length: 50 }, (_, n) => store.requests.claim(claimOf(request!.id, `w${n % 3}`)));
    const results = await Promise.allSettled(claims);
    const won = results.filter((result) => result.status === 'fulfilled');
    const lost = results.filter((result) => result.status === 'rejected');
    expect(won).toHaveLength(1);
    for (const { reason } of lost) expect(reason).toMatchObject({ code: 'lost-claim' });
    expect(await store.builds.running()).toEqual([won[0]!.value]);
    expect(await store.workers.seats()).toHaveLength(1);
    expect(await store.requests.pending()).toEqual([]);
  });

  it('claims: the build, its steps, its properties, its seat', async () => {
    const [request] = await store.requests.add({ ...buildSet('b'), properties: { mode: 'full', n: null } });
    const properties = [{ name: 'mode', value: 'fast', source: 'force' }];
    const build = await store.requests.claim({ ...claimOf(request!.id), properties });
    expect(build).toMatchObject({ number: 1, worker: 'w', fence: 1, state: 'running', source: { branch: 'main' } });
    expect(await store.builds.find(build.id)).toEqual(build);
    expect(await store.builds.findByNumber('p', 'b', 1)).toEqual(build);
    expect(await store.builds.steps(build.id)).toEqual([
      { buildId: build.id, index: 0, name: 'checkout', state: 'pending' },
      { buildId: build.id, index: 1, name: 'make', state: 'pending' },
    ]);
    expect(await store.builds.properties(build.id)).toEqual([
      { name: 'mode', value: 'fast', source: 'force' },
      { name: 'n', value: null, source: 'request' },
    ]);
    expect(await store.requests.find(request!.id)).toMatchObject({ buildId: build.id });
  });

  it('counts builds within their builder, and gives the lowest free seat with a higher fence', async () => {
    const requests = await Promise.all(['b', 'b', 'b', 'other'].map((name) => store.requests.add(buildSet(name))));
    const ids = requests.map(([request]) => request!.id);
    const first = await store.requests.claim(claimOf(ids[0]!));
    const second = await store.requests.claim(claimOf(ids[1]!));
    await store.builds.finish(first.id, 'success', undefined, 3_000);
    const third = await store.requests.claim(claimOf(ids[2]!));
    const other = await store.requests.claim(claimOf(ids[3]!));
    expect([first, second, third, other].map((build) => build.number)).toEqual([1, 2, 3, 1]);
    expect(third).toMatchObject({ session: first.session, fence: 2 });
    const seats = await store.workers.seats('w');
    expect(seats.map((seat) => [seat.directory, seat.seat, seat.fence, seat.buildId])).toEqual([
      ['p/b', 0, 2, third.id],
      ['p/b-1', 1, 1, second.id],
      ['p/other', 0, 1, other.id],
    ]);
  });

  it('never puts two builders into one folder', async () => {
    for (const name of ['b', 'b', 'b-1']) await claimedBuild(store, name);
    const directories = (await store.workers.seats()).map((seat) => seat.directory);
    expect(new Set(directories).size).toBe(3);
  });

  it('reads a request that waits as the same one, until something of it is another', async () => {
    const reason = 'two\nlines, "quoted", \u2028 and more';
    const [added] = await store.requests.add({ ...buildSet('b'), reason, properties: { text: 'a\r\nb' } });
    await store.requests.add(buildSet('c'));
    const [one, two] = await store.requests.pending();
    expect(one).toEqual(added);
    const build = await store.requests.claim(claimOf(added!.id));
    const [alone, ...others] = await store.requests.pending();
    expect(alone).toBe(two);
    expect(others).toEqual([]);
    await store.builds.finish(build.id, 'retry', undefined, 9);
    const again = await store.requests.pending();
    expect(again).toEqual([{ ...added!, cause: 'lost', buildId: build.id }, two]);
    expect(again[1]).toBe(two);
  });

  it('cancels only what waits', async () => {
    const [request] = await store.requests.add(buildSet('b'));
    await store.requests.cancel(request!.id, 'superseded', 9);
    expect(await store.requests.find(request!.id)).toMatchObject({ result: 'cancelled' });
    await expect(store.requests.claim(claimOf(request!.id))).rejects.toMatchObject({ code: 'lost-claim' });
    await expect(store.requests.cancel(request!.id, 'again', 9)).rejects.toMatchObject({ code: 'lost-claim' });
    await expect(store.requests.cancel(4711, 'never was', 9)).rejects.toMatchObject({ code: 'not-found' });
  });
});
