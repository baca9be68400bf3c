import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { NightlyShape, PeriodicShape, TimedShape } from '../../../../src/config/scheduler-shape.ts';
import { LATE_AFTER_MS, timerStep } from '../../../../src/master/schedulers/timer.ts';
import type { SchedulerRecord } from '../../../../src/model/scheduler.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOON = Date.UTC(2026, 10, 21, 12);
const at = (text: string): number => Date.parse(`${text}Z`);

const base = {
  name: 's',
  builders: ['b'],
  properties: {},
  priority: 0,
  filter: { hasFilter: false, hasFileIsImportant: false },
  onlyIfChanged: false,
  onlyImportant: false,
  late: 'once' as const,
};
const nightly = (over: Partial<NightlyShape> = {}): NightlyShape => ({
  ...base,
  kind: 'nightly',
  at: '0 3 * * *',
  zone: 'UTC',
  ...over,
});
const periodic = (everyMs: number, over: Partial<PeriodicShape> = {}): PeriodicShape => ({
  ...base,
  kind: 'periodic',
  everyMs,
  ...over,
});

type Kept = Pick<SchedulerRecord, 'rule' | 'nextAtMs' | 'lastAtMs'>;

/** Does what the timer says until it waits; what it fired. */
function run(shape: TimedShape, kept: Kept, nowMs: number): { readonly kept: Kept; readonly fired: readonly number[] } {
  const fired: number[] = [];
  let now = kept;
  for (let steps = 0; steps < 10; steps++) {
    const step = timerStep(shape, now, nowMs);
    if (step.kind === 'wait') return { kept: now, fired };
    const { lastAtMs } = now;
    const next = step.nextAtMs === undefined ? {} : { nextAtMs: step.nextAtMs };
    if (step.kind === 'settle') now = { rule: step.rule, ...next, ...(lastAtMs !== undefined && { lastAtMs }) };
    else {
      if (!step.isTooLate) fired.push(step.atMs);
      now = { ...(now.rule !== undefined && { rule: now.rule }), ...next, lastAtMs: step.atMs };
    }
  }
  throw new Error('it never waits');
}

describe('a nightly', () => {
  const settled = run(nightly(), {}, NOON).kept;

  it('waits for its next time when it is new', () => {
    expect(settled.nextAtMs).toBe(at('2026-11-22T03:00'));
    expect(run(nightly(), {}, NOON).fired).toEqual([]);
  });

  it('comes once for all the nights that the master missed, and then at its time again', () => {
    const { fired, kept } = run(nightly(), settled, NOON + 4 * DAY);
    expect(fired).toEqual([at('2026-11-22T03:00')]);
    expect(kept.nextAtMs).toBe(at('2026-11-26T03:00'));
  });

  it('leaves out what it missed if it is told to, and not what is a moment late', () => {
    const shape = nightly({ late: 'skip' });
    const due = at('2026-11-22T03:00');
    expect(run(shape, settled, due + LATE_AFTER_MS).fired).toEqual([due]);
    const missed = run(shape, settled, due + LATE_AFTER_MS + 1);
    expect(missed.fired).toEqual([]);
    expect(missed.kept.nextAtMs).toBe(due + DAY);
  });

  it('is reckoned anew by a new rule, without what the old one missed', () => {
    const { fired, kept } = run(nightly({ at: '0 4 * * *' }), settled, NOON + DAY);
    expect(fired).toEqual([]);
    expect(kept.nextAtMs).toBe(at('2026-11-23T04:00'));
  });

  it('does not come again when the clock is put back over its time', () => {
    const { kept } = run(nightly(), settled, at('2026-11-22T03:00'));
    expect(run(nightly(), kept, at('2026-11-22T02:30')).fired).toEqual([]);
    const again = run(nightly(), kept, at('2026-11-22T02:30')).kept;
    expect(run(nightly(), again, at('2026-11-22T03:00')).fired).toEqual([]);
    expect(again.nextAtMs).toBe(at('2026-11-23T03:00'));
  });

  it('comes again soon after a clock that was years ahead is set right', () => {
    const ahead = run(nightly(), settled, at('2036-01-01T00:00')).kept;
    expect(ahead.nextAtMs).toBe(at('2036-01-01T03:00'));
    // The night of the 22nd was had then.
    expect(run(nightly(), ahead, NOON).kept.nextAtMs).toBe(at('2026-11-23T03:00'));
  });

  it('is forced where one of the times to force was due', () => {
    const shape = nightly({ onlyIfChanged: true, forceAt: '0 3 * * 1' });
    const kept = run(shape, {}, NOON).kept;
    const isForced = (nowMs: number): unknown => timerStep(shape, kept, nowMs);
    expect(isForced(at('2026-11-22T03:00'))).toMatchObject({ kind: 'fire', isForced: false });
    // Monday's is among those that were missed.
    expect(isForced(at('2026-11-23T03:00'))).toMatchObject({ kind: 'fire', isForced: true });
  });

  it('also comes at a time to force that is none of its own', () => {
    const { kept } = run(nightly({ forceAt: '0 22 * * *' }), {}, NOON);
    expect(kept.nextAtMs).toBe(at('2026-11-21T22:00'));
  });
});

describe('a period', () => {
  it('begins at once, and keeps its beat', () => {
    const first = run(periodic(6 * HOUR), {}, NOON);
    expect(first.fired).toEqual([NOON]);
    const second = run(periodic(6 * HOUR), first.kept, NOON + 6 * HOUR + 250);
    expect(second.fired).toEqual([NOON + 6 * HOUR]);
    expect(second.kept.nextAtMs).toBe(NOON + 12 * HOUR);
  });

  it('begins anew after a time in which nobody saw to it, having come once', () => {
    const { kept } = run(periodic(HOUR), {}, NOON);
    const late = run(periodic(HOUR), kept, NOON + DAY + 1);
    expect(late.fired).toEqual([NOON + HOUR]);
    expect(late.kept.nextAtMs).toBe(NOON + DAY + 1 + HOUR);
  });

  it('goes on from its last time when it is made longer or shorter', () => {
    const { kept } = run(periodic(6 * HOUR), {}, NOON);
    expect(run(periodic(12 * HOUR), kept, NOON + HOUR).kept.nextAtMs).toBe(NOON + 12 * HOUR);
    expect(run(periodic(HOUR), kept, NOON + 2 * HOUR).fired).toEqual([NOON + 2 * HOUR]);
  });

  it('waits no longer than a period when the clock was put back', () => {
    const { kept } = run(periodic(HOUR), {}, NOON + 10 * DAY);
    const { nextAtMs } = run(periodic(HOUR), kept, NOON).kept;
    expect(nextAtMs).toBe(NOON + HOUR);
  });
});

test('whenever the master looks: no time comes twice, none is early, and none is left out for good', () => {
  const shapes: readonly TimedShape[] = [
    nightly(),
    nightly({ at: '30 2 * * *', zone: 'Europe/Berlin' }),
    nightly({ at: '*/20 1-3 * * *', zone: 'Europe/Berlin', forceAt: '5 5 * * 0' }),
    periodic(90 * 60_000),
  ];
  // Both changes of the clocks in Berlin.
  const starts = [at('2026-03-28T12:00'), at('2026-10-24T12:00')];
  const steps = fc.array(fc.integer({ min: 1, max: 30 * HOUR }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.constantFrom(...shapes), fc.constantFrom(...starts), steps, (shape, startMs, pauses) => {
      let { kept, fired } = run(shape, {}, startMs);
      let nowMs = startMs;
      const all = [...fired];
      for (const pause of pauses) {
        const dueMs = kept.nextAtMs ?? Infinity;
        nowMs += pause;
        ({ kept, fired } = run(shape, kept, nowMs));
        // What was due came, and only that.
        expect(fired.length).toBe(dueMs <= nowMs ? 1 : 0);
        expect(fired.every((ms) => ms <= nowMs)).toBe(true);
        expect(kept.nextAtMs).toBeGreaterThan(nowMs);
        all.push(...fired);
      }
      expect(new Set(all).size).toBe(all.length);
    }),
    { numRuns: 300 },
  );
});
