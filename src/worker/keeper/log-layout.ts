import { KiB, LIMITS } from '../../protocol/limits.ts';
import type { LogCap } from '../../protocol/resume.ts';
import type { KeeperLimits } from './keeper-limits.ts';

/** A tail is a ring of segments: of a small one they are smaller, but not so small that they become very many. */
const SMALLEST_SEGMENT_BYTES = 4 * KiB;
/** The tail's part of what a command's spool may hold. */
const TAIL_SHARE = 1 / 4;

/** How a command's output lies on the disk. The head is whole segments. */
export interface LogLayout {
  readonly segmentBytes: number;
  readonly cap?: LogCap;
}

/** `logMaxBytes` absent: all output is kept. The tail has half of it at most, but all of a limit that is no segment's worth. */
export function layOutLog(limits: KeeperLimits, logMaxBytes: number | undefined): LogLayout {
  if (logMaxBytes === undefined) return { segmentBytes: limits.segmentBytes };
  const mostOfTail = Math.floor(Math.min(logMaxBytes / 2, LIMITS.logTailBytes, limits.commandBytes * TAIL_SHARE));
  const smallest = Math.min(limits.segmentBytes, SMALLEST_SEGMENT_BYTES);
  const mostOfSegment = Math.min(limits.segmentBytes, Math.max(smallest, Math.floor(mostOfTail / 2)));
  // As many segments as the head needs, all as large as it needs them to be: a byte of each is over at most.
  const segments = Math.ceil((logMaxBytes - mostOfTail) / mostOfSegment);
  const segmentBytes = Math.max(smallest, Math.ceil((logMaxBytes - mostOfTail) / Math.max(1, segments)));
  const headBytes = segments * segmentBytes <= logMaxBytes ? segments * segmentBytes : 0;
  return { segmentBytes, cap: { headBytes, tailBytes: logMaxBytes - headBytes } };
}
