import type { QuietShape } from '../../config/scheduler-shape.ts';
import type { PendingChanges } from '../../model/scheduler.ts';

/**
 * When the changes of a branch that wait are built: it was quiet for so long after the newest important one, or has waited for as
 * long as it may in all. Undefined: none of them is important.
 */
export function quietUntil(
  { quietMs = 0, quietAtMostMs = Infinity }: Pick<QuietShape, 'quietMs' | 'quietAtMostMs'>,
  { firstImportantMs, lastImportantMs }: Pick<PendingChanges, 'firstImportantMs' | 'lastImportantMs'>,
): number | undefined {
  if (firstImportantMs === undefined || lastImportantMs === undefined) return undefined;
  return Math.min(lastImportantMs + quietMs, firstImportantMs + quietAtMostMs);
}
