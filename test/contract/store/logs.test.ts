import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { chunkOf, hole, readAll } from '../../support/log-chunks.ts';
import { emptyLog } from '../../support/temp-store.ts';

eachStore('logs', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  it('takes chunks only where the log ends, and says where that is', async () => {
    const { id, buildId } = await emptyLog(store);
    await store.logs.append(id, chunkOf(Buffer.from('one\ntwo\n'), 0, 'raw'));
    for (const offset of [0, 7, 9]) {
      const late = store.logs.append(id, chunkOf(Buffer.from('x'), offset, 'raw'));
      await expect(late).rejects.toMatchObject({ code: 'wrong-offset', wanted: 8 });
    }
    await store.logs.append(id, chunkOf(Buffer.from('three'), 8, 'gzip'));
    expect(await store.logs.list(buildId)).toMatchObject([{ id, length: 13, lines: 2, isComplete: false }]);
    expect((await readAll(store, id)).toString()).toBe('one\ntwo\nthree');
  });

  it('keeps the order of chunks that are handed over at once, and completes after them', async () => {
    const { id } = await emptyLog(store);
    const lines = Array.from({ length: 60 }, (_, n) => `${n} ${'x'.repeat((n % 5) * 9_000)}\n`);
    let offset = 0;
    const writes = lines.map((line, n) => {
      const chunk = chunkOf(Buffer.from(line), offset, n % 2 ? 'gzip' : 'raw');
      offset += line.length;
      return store.logs.append(id, chunk);
    });
    await Promise.all([...writes, store.logs.complete(id, 5)]);
    expect((await readAll(store, id)).toString()).toBe(lines.join(''));
    expect(await store.logs.find(id)).toMatchObject({ isComplete: true, lines: 60, length: offset });
  });

  it('refuses a chunk that is not what its head says, and stays whole', async () => {
    const { id } = await emptyLog(store);
    const good = chunkOf(Buffer.from('a\nb\n'), 0, 'gzip');
    const bomb = chunkOf(Buffer.alloc(16 * 1024 * 1024), 0, 'gzip');
    const bad = [
      { ...good, length: 3 },
      { ...good, length: 5 },
      { ...good, lines: 1 },
      { ...good, length: 0 },
      { ...good, body: good.body.subarray(0, -3) },
      { ...good, body: Buffer.concat([good.body, Buffer.from('tail')]) },
      { ...good, body: Buffer.concat([good.body, Buffer.alloc(4)]) },
      { ...good, codec: 'raw' as const },
      { ...good, codec: 'hole' as const },
      { ...good, codec: 'cut' as const, body: Buffer.alloc(2_000) },
      { ...bomb, length: 262_144, lines: 0 },
      bomb,
    ];
    const results = await Promise.allSettled(bad.map((chunk) => store.logs.append(id, chunk)));
    for (const result of results) expect(result).toMatchObject({ reason: { code: 'bad-chunk' } });
    await store.logs.append(id, good);
    await store.logs.complete(id, 5);
    const late = store.logs.append(id, chunkOf(Buffer.from('x'), 4, 'raw'));
    await expect(late).rejects.toMatchObject({ code: 'bad-chunk' });
    expect((await readAll(store, id)).toString()).toBe('a\nb\n');
  });

  it('tells a hole as a line, with what is lost of the range', async () => {
    const { id } = await emptyLog(store);
    await store.logs.append(id, chunkOf(Buffer.from('ab'), 0, 'raw'));
    await store.logs.append(id, hole(2, 6_000_000_000));
    await store.logs.append(id, chunkOf(Buffer.from('cd'), 6_000_000_002, 'raw'));
    expect((await readAll(store, id)).toString()).toMatch(/^ab\n\[trunkline: 6000000000 bytes .*\]\ncd$/);
    expect((await readAll(store, id, 2, 12)).toString()).toMatch(/^\n\[trunkline: 10 bytes .*\]\n$/);
  });

  it('can be left in the middle, and knows what is not there', async () => {
    const { id } = await emptyLog(store);
    for (let at = 0; at < 100; at++) await store.logs.append(id, chunkOf(Buffer.from('x'), at, 'raw'));
    let pieces = 0;
    for await (const _ of store.logs.read(id, 0, 100)) if (++pieces === 2) break;
    expect(pieces).toBe(2);
    expect((await readAll(store, id, 100, 200)).length).toBe(0);
    expect((await readAll(store, id, 90, 200)).toString()).toBe('x'.repeat(10));
    await expect(readAll(store, 4711)).rejects.toMatchObject({ code: 'not-found' });
    await expect(store.logs.complete(4711, 1)).rejects.toMatchObject({ code: 'not-found' });
    const nowhere = store.logs.append(4711, chunkOf(Buffer.from('x'), 0, 'raw'));
    await expect(nowhere).rejects.toMatchObject({ code: 'not-found' });
  });
});
