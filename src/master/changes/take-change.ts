import type { Clock } from '../../base/clock.ts';
import type { Bus } from '../../bus/bus.ts';
import type { ProjectShape } from '../../config/shape.ts';
import type { NewBuildSet, Store } from '../../store/store.ts';
import { OperatorError } from '../operator.ts';
import type { SentChange, ToldChange } from '../views/change.ts';
import { boundChange } from './bound-change.ts';
import { classify } from './classify.ts';
import type { ClassifyTools } from './classify.ts';
import { setOfChange } from './set-of-change.ts';

/** What every way in for changes works with. */
export interface ChangeIntake {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly filters: ClassifyTools;
}

/**
 * The one way in for a change, whoever tells of it: each scheduler of its project is asked what it makes of it, then it is stored
 * with all that comes of that in one transaction. What the project knows already changes nothing. Throws an `OperatorError` for
 * what is no change.
 */
export async function takeChange(
  { store, bus, clock, filters }: ChangeIntake,
  project: ProjectShape,
  wish: ToldChange,
  sentBy: string,
): Promise<SentChange> {
  const { key, ...bound } = boundChange(wish);
  const { name, source } = project;
  if (!source) throw new OperatorError('usage', `project ${name} has no source, so nothing of it changes`);
  const change = { ...bound, project: name, repository: source.url, atMs: clock.now(), sentBy };
  const sets: NewBuildSet[] = [];
  const problems: string[] = [];
  const onFailed = (problem: string): void => {
    problems.push(problem);
    filters.onFailed(problem);
  };
  for (const scheduler of project.schedulers) {
    if (scheduler.kind !== 'onChange') continue;
    const importance = await classify(scheduler, change, { ...filters, onFailed });
    if (importance === 'important') sets.push(setOfChange(scheduler, change));
  }
  const {
    change: stored,
    isNew,
    requests,
  } = await store.changes.add({ ...change, ...(problems.length > 0 && { problems }) }, key, sets);
  for (const id of isNew ? requests : []) bus.publish('requests', id);
  const { id, branch, revision } = stored;
  return { id, branch, revision, isNew, requests };
}
