import { beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { LostWatch } from '../../../../src/master/builds/lost-watch.ts';

/** What a desk says of the one worker. */
let clock: FakeClock;
let isHere: boolean;
let heardAtMs: number;
let heldMs: number;
let lost: number[];

beforeEach(() => {
  clock = new FakeClock();
  isHere = true;
  heardAtMs = clock.monotonic();
  heldMs = 0;
  lost = [];
});

function watch(retryAfterMs?: number): LostWatch {
  return new LostWatch({
    clock,
    worker: 'w',
    rule: retryAfterMs === undefined ? 'wait' : { retryAfterMs },
    desk: {
      connected: () => new Set(isHere ? ['w'] : []),
      heardAtMs: () => heardAtMs,
      heldMs: () => heldMs,
    },
    lost: (graceMs) => void lost.push(graceMs),
  });
}

test('a worker is lost when nothing was heard of it for the grace, not when its connection ended', () => {
  const one = watch(60_000);
  one.look();
  clock.advance(45_000);
  isHere = false;
  one.look();
  expect(one.away()).toEqual({ forMs: 45_000, retryInMs: 15_000 });
  clock.advance(14_999);
  expect(lost).toEqual([]);
  clock.advance(1);
  expect(lost).toEqual([60_000]);
  one.look();
  clock.advance(100_000);
  expect(lost).toEqual([60_000]);
});

test('one that comes back in time, or says a word on its way back, is not lost', () => {
  const one = watch(60_000);
  isHere = false;
  one.look();
  clock.advance(50_000);
  heardAtMs = clock.monotonic();
  clock.advance(50_000);
  expect(lost).toEqual([]);
  isHere = true;
  one.look();
  expect(one.away()).toBeUndefined();
  clock.advance(1_000_000);
  expect(lost).toEqual([]);
});

test('a build that waits is never given up', () => {
  const one = watch();
  isHere = false;
  one.look();
  clock.advance(1e9);
  expect(one.away()).toEqual({ forMs: 1e9 });
  expect(lost).toEqual([]);
});

test('a worker that was told to hold its commands for longer is given that time, and more', () => {
  const one = watch(60_000);
  isHere = false;
  heldMs = 600_000;
  one.look();
  clock.advance(659_999);
  expect(lost).toEqual([]);
  clock.advance(1);
  expect(lost).toEqual([660_000]);
});

test('a watch that was closed calls nobody', () => {
  const one = watch(60_000);
  isHere = false;
  one.look();
  one.close();
  clock.advance(1e9);
  expect(lost).toEqual([]);
});
