import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';

eachStore('configs', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  it('keeps a bundle under its hash and activates only what is there', async () => {
    expect(await store.configs.active()).toBeUndefined();
    await store.configs.put({ hash: 'aa', bundle: Buffer.from('one'), atMs: 1 });
    await store.configs.put({ hash: 'aa', bundle: Buffer.from('two'), atMs: 2 });
    expect(await store.configs.access()).toEqual({});
    await store.configs.activate('aa', { p: { read: ['ann'] } });
    await expect(store.configs.activate('bb', {})).rejects.toMatchObject({ code: 'not-found' });
    expect(await store.configs.active()).toBe('aa');
    expect(await store.configs.access()).toEqual({ p: { read: ['ann'] } });
    expect(Buffer.from((await store.configs.bundle('aa'))!).toString()).toBe('one');
    expect(await store.configs.bundle('bb')).toBeUndefined();
  });
});
