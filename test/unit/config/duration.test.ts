import { assert, integer, property } from 'fast-check';
import { expect, test } from 'vitest';
import { parseDuration, showDuration } from '../../../src/config/duration.ts';

test('a duration is read as people write it', () => {
  const read = ['500ms', '30s', '20m', '1h30m', '2d', '1.5h'].map(parseDuration);
  expect(read).toEqual([500, 30_000, 1_200_000, 5_400_000, 172_800_000, 5_400_000]);
});

test.each(['', '20', 'm', '20 m', '-5m', '0s', '1y', '1e3s', '20m ', '99999999999d'])(
  '%j is refused with the way to write it',
  (text) => expect(() => parseDuration(text)).toThrow(/write a time like/),
);

test('what is shown is read as the same time', () => {
  assert(
    property(integer({ min: 1, max: 1_000_000_000_000 }), (ms) => {
      expect(parseDuration(showDuration(ms))).toBe(ms);
    }),
  );
});
