import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseSize, showSize } from '../../../src/base/size.ts';

it('reads a number with a unit, decimal or binary', () => {
  expect(['512KB', '100MB', '1GB', '1.5GB', '64MiB', '1GiB', '0B'].map(parseSize)).toEqual([
    512_000, 100_000_000, 1_000_000_000, 1_500_000_000, 67_108_864, 1_073_741_824, 0,
  ]);
});

it.each(['', '100', 'MB', '1 MB', '1mb', '-1MB', '1e3MB', '99999TB'])('refuses %j and says how to write it', (text) => {
  expect(() => parseSize(text)).toThrow(/write a size like '512KB'/);
});

it('shows what it can read again', () => {
  expect([100_000_000, 16_777_216, 1_234, 4_096_000].map(showSize)).toEqual([
    '100 MB',
    '16 MiB',
    '1234 bytes',
    '4000 KiB',
  ]);
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      const shown = showSize(bytes);
      expect(parseSize(shown.replace(' bytes', 'B').replace(' ', ''))).toBe(bytes);
    }),
    { seed: 15 },
  );
});
