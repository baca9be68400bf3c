import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { elapsedMs, momentOf } from '../../../../src/base/moment.ts';
import { raiseLeastLease, writeLease } from '../../../../src/worker/keeper/lease-files.ts';
import { LeaseWatch } from '../../../../src/worker/keeper/lease-watch.ts';
import { writeSight } from '../../../../src/worker/keeper/sight.ts';
import { SEED } from '../../../support/seed.ts';

type Deed =
  | { readonly deed: 'runs' | 'sleeps' | 'step'; readonly ms: number }
  | { readonly deed: 'lease'; readonly ms: number | undefined }
  | { readonly deed: 'seen' | 'read' };

const ms = fc.integer({ min: 0, max: 10_000 });
const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({ deed: fc.constantFrom('runs' as const, 'sleeps' as const), ms }),
  fc.record({ deed: fc.constant('step' as const), ms: fc.integer({ min: -100_000, max: 100_000 }) }),
  fc.record({
    deed: fc.constant('lease' as const),
    ms: fc.option(fc.integer({ min: 1, max: 20_000 }), { nil: undefined }),
  }),
  fc.record({ deed: fc.constantFrom('seen' as const, 'read' as const) }),
);

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tk-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, 'c'));
  return dir;
}

test('the time since a moment is never too short, and exact while the wall clock is left alone', () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 30 }), (deeds) => {
      const clock = new FakeClock();
      const from = momentOf(clock);
      let trueMs = 0;
      let hasStepped = false;
      for (const act of deeds) {
        if (act.deed === 'step') clock.stepWall(act.ms);
        if (act.deed === 'runs') clock.advance(act.ms);
        if (act.deed === 'sleeps') clock.sleep(act.ms);
        if (act.deed === 'runs' || act.deed === 'sleeps') trueMs += act.ms;
        hasStepped ||= act.deed === 'step';
      }
      const told = elapsedMs(from, momentOf(clock));
      expect(told).toBeGreaterThanOrEqual(trueMs);
      if (!hasStepped) expect(told).toBe(trueMs);
    }),
    { seed: SEED },
  );
});

test('no lease is outlived whatever the clocks do, and none ends early while they are left alone', () => {
  const dir = folder();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), fc.array(deed, { maxLength: 30 }), (first, deeds) => {
      const clock = new FakeClock();
      rmSync(join(dir, 'c', 'lease.json'), { force: true });
      writeSight(dir, momentOf(clock));
      const watch = new LeaseWatch(
        dir,
        () => momentOf(clock),
        (message) => expect.fail(message),
      );
      watch.add({ command: 'c', leaseMs: first }, momentOf(clock));
      let leaseMs: number | undefined = first;
      let unseenMs = 0;
      let hasStepped = false;
      // What was written is known from the next read on; an end looks at the disk in any case.
      let isRead = true;
      for (const act of deeds) {
        if (act.deed === 'runs' || act.deed === 'sleeps') unseenMs += act.ms;
        if (act.deed === 'runs') clock.advance(act.ms);
        else if (act.deed === 'sleeps') clock.sleep(act.ms);
        else if (act.deed === 'step') {
          clock.stepWall(act.ms);
          hasStepped = true;
        } else if (act.deed === 'lease') {
          writeLease(join(dir, 'c'), act.ms);
          leaseMs = act.ms;
          isRead = false;
        } else if (act.deed === 'seen') {
          writeSight(dir, momentOf(clock));
          unseenMs = 0;
          hasStepped = false;
        } else {
          watch.read();
          isRead = true;
        }
        const isOver = leaseMs !== undefined && unseenMs >= leaseMs;
        const isTold = watch.listOverdue().length > 0;
        if (isOver && isRead) expect(isTold).toBe(true);
        if (!isOver && !hasStepped) expect(isTold).toBe(false);
      }
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('the least lease lengthens those that there are, and makes none', async () => {
  const dir = folder();
  const clock = new FakeClock();
  writeSight(dir, momentOf(clock));
  const watch = new LeaseWatch(
    dir,
    () => momentOf(clock),
    (message) => expect.fail(message),
  );
  watch.add({ command: 'c', leaseMs: 1_000 }, momentOf(clock));
  watch.add({ command: 'free' }, momentOf(clock));
  await raiseLeastLease(dir, 5_000);
  clock.advance(4_999);
  expect(watch.listOverdue()).toEqual([]);
  clock.advance(1);
  const message = "the worker was out of the master's sight for 5.0 s, longer than its lease of 5.0 s";
  expect(watch.listOverdue()).toEqual([{ command: 'c', message }]);
});
