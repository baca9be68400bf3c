import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { claimedBuild } from '../../support/temp-store.ts';

eachStore('step links', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  it('keeps the last link of each name of a step, in the order of the first ones', async () => {
    const { id } = await claimedBuild(store);
    await store.stepLinks.put(id, { step: 1, name: 'docs', url: 'https://example.org/1' });
    await store.stepLinks.put(id, { step: 0, name: 'docs', url: 'https://example.org/2' });
    await store.stepLinks.put(id, { step: 1, name: 'cover', url: 'https://example.org/3' });
    await store.stepLinks.put(id, { step: 1, name: 'docs', url: 'https://example.org/4' });
    expect(await store.stepLinks.list(id)).toEqual([
      { step: 1, name: 'docs', url: 'https://example.org/4' },
      { step: 0, name: 'docs', url: 'https://example.org/2' },
      { step: 1, name: 'cover', url: 'https://example.org/3' },
    ]);
  });

  it('has none of a build that there is not', async () => {
    await expect(store.stepLinks.put(77, { step: 0, name: 'a', url: 'https://example.org/' })).rejects.toThrow();
  });
});
