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

/** `logMaxBytes` absent: all output is kept. */
export function layOutLog(limits: KeeperLimits, logMaxBytes: number | undefined): LogLayout {
  if (logMaxBytes === undefined) return { segmentBytes: limits.segmentBytes };
  const tailBytes = Math.min(logMaxBytes / 2, LIMITS.logTailBytes, limits.commandBytes * TAIL_SHARE);
  const segmentBytes = Math.min(limits.segmentBytes, Math.max(SMALLEST_SEGMENT_BYTES, Math.floor(tailBytes / 2)));
  const headBytes = Math.floor((logMaxBytes - tailBytes) / segmentBytes) * segmentBytes;
  return { segmentBytes, cap: { headBytes, tailBytes: logMaxBytes - headBytes } };
}
