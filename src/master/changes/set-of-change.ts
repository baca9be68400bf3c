import type { ChangeSchedulerShape } from '../../config/scheduler-shape.ts';
import { sourceOf } from '../../model/change.ts';
import type { Change } from '../../model/change.ts';
import type { NewBuildSet } from '../../store/store.ts';

/** What a scheduler has built for a change that it wants at once: a request for each of its builders. */
export function setOfChange(scheduler: ChangeSchedulerShape, change: Omit<Change, 'id'>): NewBuildSet {
  const { branch, sentBy, atMs, project } = change;
  return {
    scheduler: scheduler.name,
    reason: scheduler.reason ?? `a change of ${branch}`,
    owner: sentBy,
    source: sourceOf(change),
    properties: { ...change.properties, ...scheduler.properties },
    priority: scheduler.priority,
    builders: scheduler.builders.map((builder) => ({ project, builder })),
    atMs,
  };
}
