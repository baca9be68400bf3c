import { showDuration } from '../../config/duration.ts';
import type { SchedulerShape } from '../../config/scheduler-shape.ts';
import type { PendingChanges, SwitchedOff } from '../../model/scheduler.ts';
import { clockTime } from '../queue/clock-time.ts';
import { quietUntil } from './quiet-until.ts';

/** So many branches are named, and the others counted. */
const BRANCHES_NAMED = 3;

/** What a scheduler waits for, for people: `main is quiet until 12:31 UTC (3 changes)`. */
export function waitsFor(shape: SchedulerShape, pending: readonly PendingChanges[], nowMs: number): string {
  switch (shape.kind) {
    case 'try':
      return 'a patch';
    case 'triggerable':
      return 'a step that triggers it';
    case 'after':
      return `the end of ${shape.upstream.project}/${shape.upstream.scheduler}`;
    case 'onChange':
    case 'anyBranch': {
      if (pending.length === 0) return 'a change';
      const parts = pending.slice(0, BRANCHES_NAMED).map((one) => branchText(one, quietUntil(shape, one), nowMs));
      const more = pending.length - parts.length;
      return more > 0 ? `${parts.join(', ')} and ${more} more` : parts.join(', ');
    }
    case 'periodic':
    case 'nightly': {
      const what = shape.kind === 'periodic' ? `every ${showDuration(shape.everyMs)}` : `${shape.at} ${shape.zone}`;
      if (!shape.onlyIfChanged) return what;
      const changed = pending.find(
        ({ branch, lastImportantMs }) => branch === shape.branch && lastImportantMs !== undefined,
      );
      return `${what}, ${changed ? `${counted(changed.count)} so far` : 'and a change'}`;
    }
    default:
      return 'somebody to ask';
  }
}

function branchText({ branch, count }: PendingChanges, untilMs: number | undefined, nowMs: number): string {
  if (untilMs === undefined) return `${branch} has an important change (${counted(count)} so far)`;
  return `${branch} is quiet until ${clockTime(untilMs, nowMs)} (${counted(count)})`;
}

function counted(changes: number): string {
  return changes === 1 ? '1 change' : `${changes} changes`;
}

/** `is switched off by ann since 12:30 UTC: release week`. */
export function offText({ by, sinceMs, reason }: SwitchedOff, nowMs: number): string {
  return `is switched off by ${by} since ${clockTime(sinceMs, nowMs)}${reason === undefined ? '' : `: ${reason}`}`;
}
