import { plain } from '../../base/plain.ts';
import type { TroubleView } from '../../master/views/worker.ts';
import { howLong, when } from './time.ts';

/** `sid is missing for 2 h 10 min: away for more than 1h`, or when it was so, and how that ended. */
export function troubleLine({ worker, kind, sinceMs, untilMs, text, endText }: TroubleView, nowMs: number): string {
  if (untilMs === null) return plain(`${worker} is ${kind} for ${howLong(nowMs - sinceMs)}: ${text}`);
  const lasted = howLong(untilMs - sinceMs);
  return plain(`${worker} was ${kind} for ${lasted} until ${when(untilMs)} UTC: ${text}; ${endText ?? 'it ended'}`);
}
