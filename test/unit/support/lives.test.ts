import { expect, test } from 'vitest';
import { overlaps } from '../../support/lives.ts';
import type { Life } from '../../support/lives.ts';

const life = (pid: number, worker: string, bornMs: number, lastMs: number, met: readonly number[] = []): Life => ({
  pid,
  worker,
  bornMs,
  lastMs,
  met,
});

test('processes of one worker may live together, those of two may not', () => {
  const a = [life(1, 'a', 0, 100), life(2, 'a', 10, 120, [1])];
  expect(overlaps(a)).toEqual([]);
  expect(overlaps([...a, life(3, 'b', 121, 200)])).toEqual([]);
  expect(overlaps([...a, life(3, 'b', 110, 200)])).toEqual(['3 on b was born before 2 on a ended']);
  // It stood still, so that it noted nothing, but was there.
  expect(overlaps([...a, life(3, 'b', 150, 200, [2])])).toEqual(['3 on b met 2']);
});
