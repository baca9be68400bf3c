import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  DEAD_AFTER_HEARTBEATS,
  GRACE_HEARTBEATS,
  WHEN_WORKER_LOST,
  graceOf,
  heartbeatFor,
  leaseForAbsence,
  leaseOf,
} from '../../../src/model/lost-worker.ts';
import type { WhenWorkerLost } from '../../../src/model/lost-worker.ts';

const retryAfterMs = fc.integer({ min: 4_000, max: 30 * 86_400_000 });
const rule = fc.oneof(fc.constant<WhenWorkerLost>('wait'), fc.record({ retryAfterMs }));
const held = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 60 * 86_400_000 }),
  fc.constant(Number.MAX_SAFE_INTEGER),
);

test('a worker ends a command well before the master starts it elsewhere, whatever lease it may hold', () => {
  fc.assert(
    fc.property(rule, held, (one, heldMs) => {
      const graceMs = graceOf(one, heldMs);
      if (graceMs === undefined) return;
      const longestMs = Math.max(leaseOf(one) ?? Infinity, heldMs);
      expect(graceMs - longestMs).toBeGreaterThanOrEqual(Math.min(60_000, graceMs / 3));
    }),
  );
});

test('what may wait for ever is never started elsewhere', () => {
  fc.assert(fc.property(held, (heldMs) => graceOf('wait', heldMs) === undefined));
  fc.assert(fc.property(rule, (one) => graceOf(one, Number.MAX_SAFE_INTEGER) === undefined));
  expect(leaseOf('wait')).toBeUndefined();
});

test('a lease is renewed in time by every connection on which a build of that rule runs', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_000, max: 60_000 }), fc.array(rule, { maxLength: 5 }), (configuredMs, rules) => {
      const heartbeatMs = heartbeatFor(configuredMs, rules);
      expect(heartbeatMs).toBeLessThanOrEqual(configuredMs);
      for (const one of rules) {
        if (one === 'wait') continue;
        expect(heartbeatMs * GRACE_HEARTBEATS).toBeLessThanOrEqual(one.retryAfterMs);
        expect(2 * heartbeatMs).toBeLessThanOrEqual(leaseOf(one) ?? 0);
      }
    }),
  );
  expect(DEAD_AFTER_HEARTBEATS).toBeLessThan(GRACE_HEARTBEATS);
});

test('the default: half an hour, of which the worker has all but a minute', () => {
  expect(WHEN_WORKER_LOST).toEqual({ retryAfterMs: 1_800_000 });
  expect(leaseOf(WHEN_WORKER_LOST)).toBe(1_740_000);
  expect(graceOf(WHEN_WORKER_LOST, 0)).toBe(1_800_000);
  expect(leaseOf({ retryAfterMs: 6_000 })).toBe(4_000);
  expect(graceOf(WHEN_WORKER_LOST, leaseForAbsence(7_200_000))).toBe(7_320_000);
});
