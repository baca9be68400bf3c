import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LIMITS } from '../../../../src/protocol/limits.ts';
import { KEEPER_LIMITS } from '../../../../src/worker/keeper/keeper-limits.ts';
import { layOutLog } from '../../../../src/worker/keeper/log-layout.ts';

test('head and tail of any limit are the limit, the head is whole segments, and the tail is half of it at most', () => {
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min: 4_096, max: 300_000 }), fc.integer({ min: 0, max: 2 ** 33 })), (limit) => {
      const { segmentBytes, cap } = layOutLog(KEEPER_LIMITS, limit);
      const { headBytes, tailBytes } = cap!;
      expect(headBytes + tailBytes).toBe(limit);
      expect(headBytes % segmentBytes).toBe(0);
      if (limit >= 4_096) expect(tailBytes).toBeLessThanOrEqual(Math.min(limit / 2, LIMITS.logTailBytes));
      expect(segmentBytes).toBeLessThanOrEqual(KEEPER_LIMITS.segmentBytes);
    }),
    { numRuns: 2_000 },
  );
});

test('a large log has the whole tail that there may be', () => {
  const { logBytes, logTailBytes } = LIMITS;
  const { cap } = layOutLog(KEEPER_LIMITS, logBytes);
  expect(cap).toEqual({ headBytes: logBytes - logTailBytes, tailBytes: logTailBytes });
});
