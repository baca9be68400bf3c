import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';

eachStore('principals', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  it('replaces by name, buries, and removes', async () => {
    const keys = [{ type: 'ssh-ed25519', blob: 'AAAA', comment: 'anna@home' }];
    const anna = { name: 'anna', role: 'reader', keys, source: 'folder' } as const;
    await store.principals.put(anna);
    expect(await store.principals.list()).toEqual([anna]);
    await store.principals.put({ ...anna, role: 'operator' });
    await store.principals.revoke('anna', 7);
    expect(await store.principals.list()).toEqual([{ ...anna, role: 'operator', revokedAtMs: 7 }]);
    await store.principals.remove('anna');
    expect(await store.principals.list()).toEqual([]);
    await expect(store.principals.revoke('anna', 8)).rejects.toMatchObject({ code: 'not-found' });
  });
});
