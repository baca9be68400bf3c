import { parseSize, showSize, SIZE_RULE } from '../base/size.ts';

/** With less the head and the tail would tell nothing. */
const SMALLEST_BYTES = 64_000;

/** What a limit must be, for messages to people. */
export const LOG_LIMIT_RULE = `${SIZE_RULE}, at least ${showSize(SMALLEST_BYTES)}`;

/** Bytes of a limit like `100MB`; throws a RangeError that says how to write it. */
export function parseLogLimit(text: string): number {
  const bytes = parseSize(text);
  if (bytes >= SMALLEST_BYTES) return bytes;
  throw new RangeError(`${JSON.stringify(text)} is no limit of a log: ${LOG_LIMIT_RULE}`);
}
