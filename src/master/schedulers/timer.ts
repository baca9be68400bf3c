import { nextCronMs } from '../../config/cron.ts';
import type { TimedShape } from '../../config/scheduler-shape.ts';
import type { SchedulerRecord } from '../../model/scheduler.ts';

/** What is to be done about a timer. Times are UTC ms; an absent `nextAtMs`: never. */
export type TimerStep =
  /** Note when it goes off: it is new, its rule is, or the clock was put back. */
  | { readonly kind: 'settle'; readonly rule: string; readonly nextAtMs?: number }
  | { readonly kind: 'wait'; readonly untilMs: number }
  /** It was due at `atMs`; forced: it builds also when nothing changed; late: longer ago than may be, and nothing is built. */
  | {
      readonly kind: 'fire';
      readonly atMs: number;
      readonly nextAtMs?: number;
      readonly isForced: boolean;
      readonly isTooLate: boolean;
    };

/** With `late: 'skip'` a time is missed when the master comes to it later than this. */
export const LATE_AFTER_MS = 5 * 60_000;
/** A last time that is further ahead than this was one of a clock that was wrong, and does not count. */
const CLOCK_WAS_WRONG_MS = 25 * 3_600_000;

/** However many times passed meanwhile, they are one occasion; one that was is never again, also when the clock is put back. */
export function timerStep(
  shape: TimedShape,
  record: Pick<SchedulerRecord, 'rule' | 'nextAtMs' | 'lastAtMs'> | undefined,
  nowMs: number,
): TimerStep {
  const rule = ruleOf(shape);
  const { nextAtMs, lastAtMs } = record ?? {};
  const last = lastAtMs !== undefined && lastAtMs - nowMs <= CLOCK_WAS_WRONG_MS ? lastAtMs : undefined;
  if (record?.rule !== rule) return { kind: 'settle', rule, ...next(firstMs(shape, last, nowMs)) };
  if (nextAtMs === undefined) return { kind: 'wait', untilMs: Infinity };
  if (nextAtMs <= nowMs) {
    return {
      kind: 'fire',
      atMs: nextAtMs,
      ...next(afterMs(shape, nextAtMs, nowMs)),
      isForced: isForced(shape, nextAtMs, nowMs),
      isTooLate: shape.late === 'skip' && nowMs - nextAtMs > LATE_AFTER_MS,
    };
  }
  const latest = regularMs(shape, Math.max(nowMs, last ?? nowMs));
  if (latest !== undefined && nextAtMs > latest) return { kind: 'settle', rule, nextAtMs: latest };
  return { kind: 'wait', untilMs: nextAtMs };
}

/** What the times go by. */
function ruleOf(shape: TimedShape): string {
  const of = shape.branch ?? '';
  return JSON.stringify(
    shape.kind === 'periodic' ? [shape.everyMs, of] : [shape.at, shape.zone, shape.forceAt ?? '', of],
  );
}

/** A period begins at once, or goes on from its last time. */
function firstMs(shape: TimedShape, last: number | undefined, nowMs: number): number | undefined {
  if (shape.kind === 'nightly') return regularMs(shape, Math.max(nowMs, last ?? nowMs));
  return last === undefined ? nowMs : Math.max(nowMs, last + shape.everyMs);
}

function afterMs(shape: TimedShape, dueMs: number, nowMs: number): number | undefined {
  if (shape.kind === 'nightly') return regularMs(shape, nowMs);
  const regular = dueMs + shape.everyMs;
  return regular > nowMs ? regular : nowMs + shape.everyMs;
}

/** The next time after a moment. */
function regularMs(shape: TimedShape, fromMs: number): number | undefined {
  if (shape.kind === 'periodic') return fromMs + shape.everyMs;
  const { at, forceAt, zone } = shape;
  const times = [at, ...(forceAt === undefined ? [] : [forceAt])].map((one) => nextCronMs({ at: one, zone }, fromMs));
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

/** One of the times from the one that was due until now. */
function isForced(shape: TimedShape, dueMs: number, nowMs: number): boolean {
  if (shape.kind === 'periodic' || shape.forceAt === undefined) return false;
  const forcedMs = nextCronMs({ at: shape.forceAt, zone: shape.zone }, dueMs - 1);
  return forcedMs !== undefined && forcedMs <= nowMs;
}

function next(nextAtMs: number | undefined): { readonly nextAtMs?: number } {
  return nextAtMs === undefined ? {} : { nextAtMs };
}
