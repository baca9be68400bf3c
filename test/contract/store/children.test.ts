import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
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
});
