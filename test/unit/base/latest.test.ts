import { expect, test } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import type { Deferred } from '../../../src/base/deferred.ts';
import { Latest } from '../../../src/base/latest.ts';

function readings(): { readonly latest: Latest<number>; readonly begun: Deferred<number>[] } {
  const begun: Deferred<number>[] = [];
  const latest = new Latest(() => {
    const reading = deferred<number>();
    begun.push(reading);
    return reading.promise;
  });
  return { latest, begun };
}

test('all who ask during a reading share the next one, which begins when that has ended', async () => {
  const { latest, begun } = readings();
  const first = latest.get();
  const others = [latest.get(), latest.get(), latest.get()];
  expect(begun).toHaveLength(1);
  begun[0]!.resolve(1);
  expect(await first).toBe(1);
  expect(begun).toHaveLength(2);
  begun[1]!.resolve(2);
  expect(await Promise.all(others)).toEqual([2, 2, 2]);
  expect(begun).toHaveLength(2);
});

test('a reading that fails fails for those who shared it, and no further', async () => {
  const { latest, begun } = readings();
  const first = latest.get();
  const second = latest.get();
  begun[0]!.reject(new Error('no'));
  await expect(first).rejects.toThrow('no');
  begun[1]!.resolve(2);
  expect(await second).toBe(2);
  const third = latest.get();
  begun[2]!.resolve(3);
  expect(await third).toBe(3);
});
