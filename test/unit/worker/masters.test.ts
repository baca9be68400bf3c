import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import { LinkRefused } from '../../../src/transport/link-refused.ts';
import { Masters } from '../../../src/worker/link/masters.ts';
import type { Ended } from '../../../src/worker/link/masters.ts';

/** Three masters, tried at the latest possible times; `good` are those that can be had. */
function three() {
  const clock = new FakeClock();
  const good = new Set<string>();
  const failures = new Map<string, Error>();
  const told: unknown[] = [];
  const masters = new Masters({
    addresses: ['a', 'b', 'c'].map((host) => ({ host, port: 1 })),
    clock,
    isFinal: (error) => error instanceof LinkRefused && error.code === 'revoked',
    needsPerson: (error) => error instanceof RangeError,
    random: () => 1,
  });
  let last: Ended = () => undefined;
  const ended: Ended = (wasGood, retryAfterMs) => last(wasGood, retryAfterMs);
  /** Whom it tried, and with a `!` at the end that all failed. */
  const round = async (): Promise<string> => {
    let tried = '';
    try {
      await masters.open(
        async ({ host }, ended) => {
          tried += host;
          last = ended;
          if (!good.has(host)) throw failures.get(host) ?? new Error(host);
          return await Promise.resolve();
        },
        (failure) => told.push(failure),
      );
      return tried;
    } catch (error) {
      return `${tried}! ${String(error)}`;
    }
  };
  return { clock, good, failures, told, ended, round };
}

test('the masters are tried in order, the last good one first', async () => {
  const { good, ended, round } = three();
  good.add('b');
  expect(await round()).toBe('ab');
  ended(true);
  good.add('a');
  expect(await round()).toBe('b');
  // It had to be left: the others come before it.
  ended(true, 60_000);
  expect(await round()).toBe('c! Error: c');
});

test('one that failed is left out for times that grow to ten minutes, as long as another can be tried', async () => {
  const { clock, good, ended, round } = three();
  good.add('c');
  expect(await round()).toBe('abc');
  ended(true);
  const tried: number[] = [0];
  for (let second = 1; second <= 4_000; second += 2) {
    clock.advance(1_000);
    // The good one is away for a second.
    good.delete('c');
    if ((await round()).includes('a')) tried.push(second);
    clock.advance(1_000);
    good.add('c');
    expect(await round()).toBe('c');
    ended(true);
  }
  const pauses = tried.slice(1).map((at, index) => at - (tried[index] ?? 0));
  expect(pauses.slice(0, 6)).toEqual([1, 2, 4, 8, 16, 32]);
  expect(Math.max(...pauses)).toBe(600);
});

test('when no time has come, the one is tried whose time comes first; a single master is always tried', async () => {
  const { clock, round } = three();
  expect(await round()).toBe('abc! Error: a');
  clock.advance(500);
  expect(await round()).toBe('a! Error: a');
  expect(await round()).toBe('b! Error: b');
});

test('a master that names a time is not asked before it', async () => {
  const { clock, failures, round } = three();
  failures.set('a', new LinkRefused('overloaded', 'later', 60_000));
  await round();
  for (let second = 1; second < 60; second++) {
    clock.advance(1_000);
    expect(await round()).not.toMatch(/^a/);
  }
  clock.advance(1_000);
  expect(await round()).toMatch(/a/);
});

test('the failure that a person has to hear of is thrown, the others are told; one that is final ends the round', async () => {
  const { failures, told, good, clock, round } = three();
  failures.set('b', new RangeError('key'));
  expect(await round()).toBe('abc! RangeError: key');
  expect(told.map(String)).toEqual(['Error: a', 'Error: c']);
  clock.advance(1_000);
  good.add('c');
  expect(await round()).toBe('abc');
  expect(told.map(String)).toEqual(['Error: a', 'Error: c', 'Error: a', 'RangeError: key']);
  clock.advance(600_000);
  good.delete('c');
  failures.set('a', new LinkRefused('revoked', 'out'));
  expect(await round()).toBe('ca! LinkRefused: out');
});
