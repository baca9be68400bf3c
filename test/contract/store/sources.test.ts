import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';

const tips = (...pairs: readonly (readonly [string, string])[]): ReadonlyMap<string, string> => new Map(pairs);

eachStore('polled sources', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  it('keeps what came of the last poll of each repository', async () => {
    const good = { url: '/b', polledAtMs: 2, failures: 0, mirrorBytes: 5 };
    await store.sources.polled({
      url: '/b',
      polledAtMs: 1,
      error: 'gone',
      errorSinceMs: 1,
      failures: 3,
      mirrorBytes: 0,
    });
    await store.sources.polled(good);
    const bad = { url: '/a', polledAtMs: 1, error: 'slow', errorSinceMs: 0, failures: 1, mirrorBytes: 7 };
    await store.sources.polled(bad);
    expect(await store.sources.list()).toEqual([bad, good]);
  });

  it('keeps the tips that a project was told of, until it has another repository', async () => {
    expect(await store.sources.progress('p', '/a')).toBeUndefined();
    await store.sources.begin('p', {
      url: '/a',
      wants: 'w1',
      tips: tips(['refs/heads/a', '1'], ['refs/heads/b', '2']),
    });
    await store.sources.begin('q', { url: '/a', wants: 'q', tips: tips(['refs/heads/a', '9']) });
    await store.sources.setTips('p', {
      tips: tips(['refs/heads/a', '3'], ['refs/heads/\'"', '4']),
      gone: ['refs/heads/b'],
    });
    expect(await store.sources.progress('p', '/a')).toEqual({
      wants: 'w1',
      tips: tips(['refs/heads/\'"', '4'], ['refs/heads/a', '3']),
    });
    await store.sources.setTips('p', { tips: tips(), wants: 'w2' });
    expect((await store.sources.progress('p', '/a'))?.wants).toBe('w2');
    expect(await store.sources.progress('q', '/a')).toEqual({ wants: 'q', tips: tips(['refs/heads/a', '9']) });
    expect(await store.sources.progress('p', '/b')).toBeUndefined();
    await store.sources.begin('p', { url: '/b', wants: '', tips: tips() });
    expect(await store.sources.progress('p', '/b')).toEqual({ wants: '', tips: tips() });
    expect(await store.sources.progress('p', '/a')).toBeUndefined();
  });
});
