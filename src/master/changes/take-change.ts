import type { Clock } from '../../base/clock.ts';
import type { Bus } from '../../bus/bus.ts';
import { isListening } from '../../config/scheduler-shape.ts';
import type { ListeningShape } from '../../config/scheduler-shape.ts';
import type { ProjectShape } from '../../config/shape.ts';
import type { ChangeTaker, Store } from '../../store/store.ts';
import type { Importance } from '../../model/change-filter.ts';
import { OperatorError } from '../operator.ts';
import { setOfChanges } from '../schedulers/sets.ts';
import type { SentChange, ToldChange } from '../views/change.ts';
import { boundChange } from './bound-change.ts';
import { classify } from './classify.ts';
import type { ClassifyTools, NewChange } from './classify.ts';
import { revisionLink } from './revision-link.ts';

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
  const problems = [...(wish.problems ?? [])];
  const onFailed = (problem: string): void => {
    problems.push(problem);
    filters.onFailed(problem);
  };
  const tools = { ...filters, onFailed };
  const revlink = bound.revlink ?? (await revisionLink(project, bound.revision, tools));
  const change = {
    ...bound,
    ...(revlink !== undefined && { revlink }),
    project: name,
    repository: source.url,
    atMs: clock.now(),
    sentBy,
  };
  const takers: ChangeTaker[] = [];
  for (const shape of project.schedulers.filter(isListening)) {
    const importance = await classify(shape, change, tools);
    const taker = takerOf(shape, importance, change);
    if (taker) takers.push(taker);
  }
  const told = { ...change, ...(problems.length > 0 && { problems }) };
  const { change: stored, isNew, requests, waitsFor } = await store.changes.add(told, key, takers);
  if (isNew) {
    for (const id of requests) bus.publish('requests', id);
    if (waitsFor.length > 0) bus.publish('schedulers', name);
  }
  const { id, branch, revision } = stored;
  return { id, branch, revision, isNew, requests, waitsFor };
}

function takerOf(shape: ListeningShape, importance: Importance, change: NewChange): ChangeTaker | undefined {
  if (importance === 'ignored' || (importance === 'unimportant' && shape.onlyImportant)) return undefined;
  const isImportant = importance === 'important';
  const taker = { scheduler: shape.name, isImportant };
  // What changed while it was switched off has changed all the same.
  if (shape.kind === 'periodic' || shape.kind === 'nightly') return { ...taker, isKept: true };
  if (shape.quietMs !== undefined || !isImportant) return taker;
  return { ...taker, set: setOfChanges(shape, change, 1, change.atMs) };
}
