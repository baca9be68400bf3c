import { expect, test } from 'vitest';
import { PATCH_KEPT_MS, stalePatches } from '../../../../src/master/patches/stale-patches.ts';

const NOW = PATCH_KEPT_MS * 10;
const stored = [
  { id: 'old', bytes: 10, atMs: NOW - PATCH_KEPT_MS - 1 },
  { id: 'young', bytes: 10, atMs: NOW - 1 },
  { id: 'middle', bytes: 10, atMs: NOW - PATCH_KEPT_MS },
];

test('what nobody waits for is removed when it is old', () => {
  expect(stalePatches(stored, new Set(), NOW, 1_000)).toEqual(['old']);
  expect(stalePatches([], new Set(), NOW, 0)).toEqual([]);
});

test('the oldest goes first when there is too much, as far as it must', () => {
  expect(stalePatches(stored, new Set(), NOW, 30)).toEqual(['old']);
  expect(stalePatches(stored, new Set(), NOW, 15)).toEqual(['old', 'middle']);
  expect(stalePatches(stored, new Set(), NOW, 9)).toEqual(['old', 'middle', 'young']);
});

test('what is in use stays, whatever its age and however much it is', () => {
  expect(stalePatches(stored, new Set(['old', 'young']), NOW, 0)).toEqual(['middle']);
  expect(stalePatches(stored, new Set(['old', 'young', 'middle']), NOW, 0)).toEqual([]);
});
