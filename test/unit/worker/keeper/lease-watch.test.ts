import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { momentOf } from '../../../../src/base/moment.ts';
import { raiseLeastLease, writeLease } from '../../../../src/worker/keeper/lease-files.ts';
import { LeaseWatch } from '../../../../src/worker/keeper/lease-watch.ts';
import { writeSight } from '../../../../src/worker/keeper/sight.ts';
import { SEED } from '../../../support/seed.ts';

const PING_MS = 1_000;
const SLACK_MS = 10_000;

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

test('no lease is outlived by the boot clock, none ends early, and a wall clock set forward needs an answered ping', () => {
  const dir = folder();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), fc.array(deed, { maxLength: 30 }), (first, deeds) => {
      const clock = new FakeClock();
      const see = (): void => writeSight(dir, { ...momentOf(clock), pingMs: PING_MS });
      rmSync(join(dir, 'c', 'lease.json'), { force: true });
      see();
      const watch = new LeaseWatch(
        dir,
        () => momentOf(clock),
        (message) => expect.fail(message),
      );
      watch.add({ command: 'c', leaseMs: first }, momentOf(clock));
      let leaseMs: number | undefined = first;
      let unseenMs = 0;
      // What was written is known from the next read on; an end looks at the disk in any case.
      let isRead = true;
      for (const act of deeds) {
        if (act.deed === 'runs' || act.deed === 'sleeps') unseenMs += act.ms;
        if (act.deed === 'runs') clock.advance(act.ms);
        else if (act.deed === 'sleeps') clock.sleep(act.ms);
        else if (act.deed === 'step') clock.stepWall(act.ms);
        else if (act.deed === 'lease') {
          writeLease(join(dir, 'c'), act.ms);
          leaseMs = act.ms;
          isRead = false;
        } else if (act.deed === 'seen') {
          see();
          unseenMs = 0;
        } else {
          watch.read();
          isRead = true;
        }
        const isOver = leaseMs !== undefined && unseenMs >= leaseMs;
        const isTold = watch.listOverdue().length > 0;
        if (isOver && isRead) expect(isTold).toBe(true);
        // The slack for a ping and its answer: nothing ends before it for the wall clock's sake.
        if (!isOver && unseenMs < PING_MS + SLACK_MS) expect(isTold).toBe(false);
      }
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test('what the wall clock alone says counts when the next ping is not answered', () => {
  const dir = folder();
  const clock = new FakeClock();
  const see = (): void => writeSight(dir, { ...momentOf(clock), pingMs: PING_MS });
  see();
  const watch = new LeaseWatch(
    dir,
    () => momentOf(clock),
    (message) => expect.fail(message),
  );
  watch.add({ command: 'c', leaseMs: 600_000 }, momentOf(clock));
  for (let step = 0; step < 3; step++) {
    clock.stepWall(3_600_000);
    expect(watch.listOverdue()).toEqual([]);
    clock.advance(PING_MS + SLACK_MS - 1);
    expect(watch.listOverdue()).toEqual([]);
    see();
    watch.read();
  }
  clock.stepWall(3_600_000);
  expect(watch.listOverdue()).toEqual([]);
  clock.advance(PING_MS + SLACK_MS);
  expect(watch.listOverdue()).toMatchObject([{ command: 'c' }]);
});

test('the least lease lengthens those that there are, and makes none', async () => {
  const dir = folder();
  const clock = new FakeClock();
  writeSight(dir, { ...momentOf(clock), pingMs: PING_MS });
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
  expect(watch.listOverdue()).toEqual([{ command: 'c', message, killAfterMs: 1_250 }]);
});
