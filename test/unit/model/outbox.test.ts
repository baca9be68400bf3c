import { assert, double, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { addressesOf, isMailAddress } from '../../../src/model/mail-address.ts';
import { retryInMs } from '../../../src/model/outbox.ts';

const HOUR = 3_600_000;

test('waits double from 10 s to an hour, drawn from the upper half, and end after 20 tries or a day', () => {
  const bounds = [1, 2, 3, 9, 10, 19].map((attempts) => retryInMs({ attempts, waitsSinceMs: 0 }, 0, 1));
  expect(bounds).toEqual([10_000, 20_000, 40_000, 2_560_000, HOUR, HOUR]);
  assert(
    property(integer({ min: 1, max: 19 }), double({ min: 0, max: 1, noNaN: true }), (attempts, random) => {
      const most = retryInMs({ attempts, waitsSinceMs: 0 }, 0, 1) ?? 0;
      const waitMs = retryInMs({ attempts, waitsSinceMs: 0 }, 0, random) ?? 0;
      expect(waitMs).toBeGreaterThanOrEqual(most / 2);
      expect(waitMs).toBeLessThanOrEqual(most);
    }),
  );
  expect(retryInMs({ attempts: 20, waitsSinceMs: 0 }, 0, 0)).toBeUndefined();
  expect(retryInMs({ attempts: 1, waitsSinceMs: 0 }, 24 * HOUR, 0)).toBeUndefined();
  expect(retryInMs({ attempts: 1, waitsSinceMs: 0 }, 24 * HOUR - 1, 0)).toBe(5_000);
});

test('an owner is told by mail by plain addresses alone', () => {
  expect(addressesOf('mailto:ann@example.org,bob+ci@example.org?cc=eve@example.org')).toEqual([
    'ann@example.org',
    'bob+ci@example.org',
  ]);
  for (const owner of [
    undefined,
    'ann@example.org',
    'https://example.org',
    'mailto:',
    'mailto:ann',
    'mailto:a%0d@b.c,',
  ])
    expect(addressesOf(owner).filter((one) => !/^[\w%+-]+@[\w.]+$/.test(one))).toEqual([]);
  for (const text of ['a@b\r\nc', 'a@b\n', '<a@b>', 'a b@c', '"a"@b', 'a@b,c@d', 'ä@b', 'a@-b', `${'a'.repeat(65)}@b`])
    expect(isMailAddress(text), text).toBe(false);
});
