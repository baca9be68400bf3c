const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;

/** What a duration must be, for messages to people. */
export const DURATION_RULE = "write a time like '500ms', '30s', '20m' or '1h30m'";

/** Milliseconds of a text like `20m`, `1h30m`, `500ms`; throws a RangeError that says how to write it. */
export function parseDuration(text: string): number {
  if (typeof text !== 'string' || !WHOLE.test(text)) {
    throw new RangeError(`${JSON.stringify(text)} is no duration: ${DURATION_RULE}`);
  }
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(PART)) totalMs += Number(count) * (UNITS[unit ?? ''] ?? 0);
  const rounded = Math.round(totalMs);
  if (rounded < 1 || !Number.isSafeInteger(rounded)) {
    throw new RangeError(`${JSON.stringify(text)} is out of range: ${DURATION_RULE}`);
  }
  return rounded;
}

/** The same time as people write it: `20m`, `1h30m`, `1.5s`. */
export function showDuration(ms: number): string {
  if (ms < 1_000) return `${ms}ms`;
  let rest = ms;
  let text = '';
  for (const unit of ['d', 'h', 'm'] as const) {
    const size = UNITS[unit] ?? 1;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return rest > 0 ? `${text}${rest / 1_000}s` : text;
}
