import { beforeEach, expect, it } from 'vitest';
import type { Aside, Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { until } from '../../support/until.ts';
import { buildSet, claimedBuild, claimOf } from '../../support/temp-store.ts';

eachStore('children of builds', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  it('gives what a build waits for the place and the priority of that build, down to its grandchildren', async () => {
    const [asked] = await store.requests.add({ ...buildSet('top'), priority: 3 });
    const top = await store.requests.claim(claimOf(asked!.id));
    const parent = { buildId: top.id, key: '0.1.0', waits: true };
    const [child] = await store.requests.add({ ...buildSet('child'), priority: 1, atMs: 5_000, parent });
    const place = { priority: 3, rankAtMs: 1_000, submittedAtMs: 5_000, parent: { buildId: top.id, waits: true } };
    expect(child).toMatchObject(place);
    expect(await store.requests.find(child!.id)).toMatchObject(place);
    const build = await store.requests.claim(claimOf(child!.id));
    expect(build.parent).toEqual({ buildId: top.id, waits: true });
    expect(await store.builds.find(build.id)).toEqual(build);
    const [grandchild] = await store.requests.add({
      ...buildSet('grandchild'),
      atMs: 6_000,
      parent: { buildId: build.id, key: '0.1.0', waits: true },
    });
    expect(grandchild).toMatchObject({ priority: 3, rankAtMs: 1_000 });
  });

  it('gives what nobody waits for a place of its own', async () => {
    const { id } = await claimedBuild(store);
    const parent = { buildId: id, key: '0.1.0', waits: false };
    const [child] = await store.requests.add({ ...buildSet('child'), priority: 1, atMs: 5_000, parent });
    expect(child).toMatchObject({ priority: 1, rankAtMs: 5_000, parent: { buildId: id, waits: false } });
  });

  it('begins nothing for a build that has ended', async () => {
    const { id } = await claimedBuild(store);
    await store.builds.finish(id, 'success', undefined, 3_000);
    const parent = { buildId: id, key: '0.1.0', waits: false };
    await expect(store.requests.add({ ...buildSet('child'), parent })).rejects.toMatchObject({ code: 'lost-claim' });
    expect(await store.requests.pending()).toEqual([]);
  });

  it('keeps where properties came from, and the one worker that is wanted', async () => {
    const given = { properties: { mode: 'full', n: 1 }, propertySources: { mode: 'trigger' }, worker: 'w' };
    const [request] = await store.requests.add({ ...buildSet('b'), ...given });
    expect(await store.requests.find(request!.id)).toMatchObject(given);
    const build = await store.requests.claim(claimOf(request!.id));
    expect(await store.builds.properties(build.id)).toEqual([
      { name: 'mode', value: 'full', source: 'trigger' },
      { name: 'n', value: 1, source: 'request' },
    ]);
  });

  const call = (buildId: number, key = '0.1.0', waits = true) => ({
    ...buildSet('child', 'other'),
    parent: { buildId, key, waits },
  });

  it('adds what a call triggers once, however often it is made', async () => {
    const { id } = await claimedBuild(store);
    const sets = [call(id, '0.1.0'), call(id, '0.1.1')];
    const made = await Promise.all([store.requests.trigger(sets), store.requests.trigger(sets)]);
    expect(made[0].map((list) => list.length)).toEqual([2, 2]);
    expect(made[1]).toEqual(made[0]);
    expect(await store.requests.triggered(id, ['0.1.0', '0.1.1', '0.2.0'])).toEqual([...made[0], []]);
    const children = await store.requests.childrenOf(id);
    expect(children.map((one) => one.id)).toEqual(made[0].flat());
    expect(await store.requests.known(made[0][1]!)).toEqual(children.slice(2));
    await expect(store.requests.add(call(id))).rejects.toThrow('UNIQUE');
  });

  it('ends what a build waits for in the transaction that ends the build, and nothing else', async () => {
    const { id } = await claimedBuild(store);
    const [[one, two] = []] = await store.requests.trigger([call(id)]);
    const [[free] = []] = await store.requests.trigger([call(id, '0.2.0', false)]);
    const running = await store.requests.claim(claimOf(one!));
    const reason = `build ${id}, which waited for it, has ended: retry`;
    const told = asidesOf(store);
    await store.builds.finish(id, 'retry', 'lost', 3_000);
    await until('all is told', () => told.length === 2);
    expect(told).toEqual([
      { kind: 'stopping', buildId: running.id, reason },
      { kind: 'ended', requestId: two },
    ]);
    expect(await store.requests.find(two!)).toMatchObject({ state: 'finished', result: 'cancelled' });
    expect(await store.requests.find(free!)).toMatchObject({ state: 'pending' });
    expect(await store.builds.find(running.id)).toMatchObject({ state: 'running', stopReason: reason });
    // A child of a dead parent is never retried.
    await store.builds.finish(running.id, 'retry', 'lost', 4_000);
    expect(await store.builds.find(running.id)).toMatchObject({ result: 'cancelled', summary: reason });
    expect(await store.requests.find(one!)).toMatchObject({ state: 'finished', result: 'cancelled' });
    // The build in the parent's place triggers anew.
    const again = await store.requests.claim(claimOf((await store.builds.find(id))!.requestId));
    const [fresh] = await store.requests.trigger([call(again.id)]);
    expect(fresh).not.toEqual([one, two]);
  });

  it('stops what a build waits for with it, down to the last', async () => {
    const { id } = await claimedBuild(store);
    const [[one] = []] = await store.requests.trigger([call(id)]);
    const child = await store.requests.claim(claimOf(one!));
    const [[, below] = []] = await store.requests.trigger([call(child.id)]);
    const told = asidesOf(store);
    expect(await store.builds.requestStop(id, 'enough', 3_000)).toBe(true);
    const reason = `build ${id}, which waited for it, was stopped: enough`;
    await until('all is told', () => told.length === 4);
    expect(told).toContainEqual({ kind: 'stopping', buildId: child.id, reason });
    expect(await store.builds.find(child.id)).toMatchObject({ state: 'running', stopReason: reason });
    expect(await store.requests.find(below!)).toMatchObject({
      result: 'cancelled',
      summary: `build ${child.id}, which waited for it, was stopped: ${reason}`,
    });
    // Nothing waits or runs on whose parent has ended, whatever the children end as.
    await store.builds.finish(id, 'cancelled', 'enough', 3_000);
    await store.builds.finish(child.id, 'exception', undefined, 4_000);
    expect(await store.requests.pending()).toEqual([]);
    expect(await store.builds.running()).toEqual([]);
  });

  it('names the line of builds that a build comes from', async () => {
    const top = await claimedBuild(store, 'top');
    const [[one] = []] = await store.requests.trigger([call(top.id)]);
    const child = await store.requests.claim(claimOf(one!));
    const [[two] = []] = await store.requests.trigger([call(child.id)]);
    const last = await store.requests.claim(claimOf(two!));
    const names = (await store.builds.lineage(last.id, 10)).map(({ id, builder }) => [id, builder]);
    expect(names).toEqual([
      [last.id, 'child'],
      [child.id, 'child'],
      [top.id, 'top'],
    ]);
    expect(await store.builds.lineage(last.id, 2)).toHaveLength(2);
  });

  it('makes a build of the same source for the same changes', async () => {
    const change = {
      project: 'p',
      repository: 'r',
      branch: 'main',
      revision: 'abc',
      comments: 'Fix',
      files: [],
      filesLeftOut: 0,
      properties: {},
      atMs: 1,
      sentBy: 'anna',
    };
    const { requests } = await store.changes.add(change, 'k', [
      { scheduler: 's', isImportant: true, set: buildSet('b') },
    ]);
    const build = await store.requests.claim(claimOf(requests[0]!));
    const [[child] = []] = await store.requests.trigger([{ ...call(build.id), changesOf: build.id }]);
    expect(await store.changes.ofRequest(child!)).toMatchObject([{ revision: 'abc' }]);
  });
});

function asidesOf(store: Store): Aside[] {
  const told: Aside[] = [];
  store.onAside((aside) => told.push(aside));
  return told;
}
