import { expect, test } from 'vitest';
import { growth } from '../../chaos/growth.ts';

const then = { daemon: 'master', pid: 1, descriptors: 30, rssMiB: 100, heapMiB: 15 };

test('what holds no more than at the start, but for some slack, is in order', () => {
  expect(growth([then], [{ ...then, pid: 2, descriptors: 33, rssMiB: 400, heapMiB: 18 }])).toEqual([]);
});

test('a leak of descriptors, one of memory, and what nobody measured at the start are told', () => {
  const now = { ...then, descriptors: 40, heapMiB: 60 };
  expect(growth([then], [now, { ...then, daemon: 'w1' }])).toEqual([
    'master holds 40 descriptors, 30 at the start',
    'master uses 60 MiB of heap, 15 at the start',
    'w1 was not there at the start',
  ]);
});
