import type { AfterShape, QuietShape, SchedulerShape, TimedShape } from '../../config/scheduler-shape.ts';
import type { ProjectShape } from '../../config/shape.ts';
import { sourceOf } from '../../model/change.ts';
import type { Change } from '../../model/change.ts';
import type { JsonObject } from '../../model/json.ts';
import type { EndedSet, NewBuildSet } from '../../store/store.ts';
import { joinedProperties } from './joined-properties.ts';
import { clockTime } from '../queue/clock-time.ts';
import { showDuration } from '../../config/duration.ts';

/** The build sets that schedulers make, each a request for each of its builders. */

/** Of so many changes of a branch. */
export function setOfChanges(
  scheduler: QuietShape,
  newest: Omit<Change, 'id'>,
  count: number,
  atMs: number,
): NewBuildSet {
  const { project, branch, sentBy } = newest;
  return {
    ...common(project, scheduler, newest.properties, atMs),
    ...(newest.externalId !== undefined && { externalId: newest.externalId }),
    reason: scheduler.reason ?? (count === 1 ? `a change of ${branch}` : `${count} changes of ${branch}`),
    owner: sentBy,
    source: sourceOf(newest),
  };
}

/** Of a time; with the newest change since the last one, if it goes by changes. */
export function setOfTime(
  { name, source }: Pick<ProjectShape, 'name' | 'source'>,
  scheduler: TimedShape,
  dueMs: number,
  newest: Change | undefined,
  atMs: number,
): NewBuildSet {
  const { branch } = scheduler;
  const tip = source ? { repository: source.url, ...(branch !== undefined && { branch }) } : {};
  return {
    ...common(name, scheduler, newest?.properties ?? {}, atMs),
    reason: scheduler.reason ?? timeReason(scheduler, dueMs, atMs),
    owner: `${name}/${scheduler.name}`,
    source: newest ? sourceOf(newest) : tip,
  };
}

function timeReason(scheduler: TimedShape, dueMs: number, atMs: number): string {
  if (scheduler.kind === 'periodic') return `every ${showDuration(scheduler.everyMs)}`;
  return `due at ${clockTime(dueMs, atMs)}`;
}

/**
 * Of a set that it follows: the same source, at the revision that was really built there; of another repository than the project's,
 * the tip of the project's own.
 */
export function setAfter(
  { name, source }: Pick<ProjectShape, 'name' | 'source'>,
  scheduler: AfterShape,
  ended: EndedSet,
  atMs: number,
): NewBuildSet & { readonly isSameSource: boolean } {
  const { upstream } = scheduler;
  const isSameSource = ended.source.repository === source?.url;
  const own = source ? { repository: source.url, ...(source.branch !== undefined && { branch: source.branch }) } : {};
  const pinned = ended.gotRevision === undefined ? {} : { revision: ended.gotRevision };
  return {
    ...common(name, scheduler, {}, atMs),
    reason: scheduler.reason ?? `after ${upstream.project}/${upstream.scheduler}`,
    owner: `${name}/${scheduler.name}`,
    source: isSameSource ? { ...ended.source, ...pinned } : own,
    isSameSource,
  };
}

/** The scheduler's properties win over those of a change. */
function common(project: string, scheduler: SchedulerShape, ofChange: JsonObject, atMs: number) {
  return {
    scheduler: scheduler.name,
    ...joinedProperties(['change', ofChange], ['scheduler', scheduler.properties]),
    priority: scheduler.priority,
    builders: scheduler.builders.map((builder) => ({ project, builder })),
    atMs,
  };
}
