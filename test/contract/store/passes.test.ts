import { beforeEach, expect, it } from 'vitest';
import type { Pass } from '../../../src/model/pass.ts';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';

eachStore('passes', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  const pass = (id: string, over: Partial<Pass> = {}): Pass => ({
    id,
    kind: 'token',
    who: 'anna',
    secretSha256: 'ab',
    label: 'ci',
    keys: ['SHA256:x'],
    madeAtMs: 1,
    expiresAtMs: 10,
    ...over,
  });

  it('gives one in exchange for another, once', async () => {
    const link = pass('l', { kind: 'login', role: 'reader' });
    await store.passes.add(link);
    expect(await store.passes.find('l')).toEqual(link);
    const tries = ['s1', 's2'].map((id) => store.passes.exchange('l', pass(id, { kind: 'session' })));
    expect((await Promise.allSettled(tries)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect((await store.passes.list()).map(({ id }) => id)).toEqual(['s1']);
    await store.passes.remove('s1');
    await expect(store.passes.remove('s1')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('drops what is over, and those of one person', async () => {
    await store.passes.add(pass('a', { expiresAtMs: 5 }));
    await store.passes.add(pass('b', { madeAtMs: 3 }));
    await store.passes.add(pass('c', { madeAtMs: 2 }));
    await store.passes.add(pass('d', { who: 'bert', madeAtMs: 4 }));
    await store.passes.removeExpired(5);
    expect((await store.passes.list()).map(({ id }) => id)).toEqual(['c', 'b', 'd']);
    await store.passes.removeOf('anna');
    expect((await store.passes.list()).map(({ id }) => id)).toEqual(['d']);
  });
});
