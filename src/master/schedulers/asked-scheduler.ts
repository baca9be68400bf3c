import type { Clock } from '../../base/clock.ts';
import type { SchedulerShape } from '../../config/scheduler-shape.ts';
import type { ProjectShape } from '../../config/shape.ts';
import type { Store } from '../../store/store.ts';
import { OperatorError } from '../operator.ts';
import { shown } from '../operator-names.ts';
import { offText } from './waits-for.ts';

const WORDS = {
  force: { what: 'builds', done: 'forced', call: 'force()' },
  try: { what: 'patches', done: 'tried', call: 'tryBuilds()' },
} as const;

type OfKind<Kind> = SchedulerShape & { readonly kind: Kind };

/** The schedulers of a kind by which people may ask for builds of these builders, in the order of the configuration. */
export function schedulersFor<Kind extends 'force' | 'try'>(
  { schedulers }: Pick<ProjectShape, 'schedulers'>,
  kind: Kind,
  builders: readonly string[],
): readonly OfKind<Kind>[] {
  return schedulers.filter(
    (one): one is OfKind<Kind> => one.kind === kind && builders.every((builder) => one.builders.includes(builder)),
  );
}

/** The scheduler by which people ask for builds of these builders; throws what to write into the configuration when there is none. */
export function askedScheduler<Kind extends 'force' | 'try'>(
  project: Pick<ProjectShape, 'name' | 'schedulers'>,
  kind: Kind,
  builders: readonly string[],
  wanted?: string,
): OfKind<Kind> {
  const { name } = project;
  const fitting = schedulersFor(project, kind, builders);
  const found = wanted === undefined ? fitting[0] : fitting.find((one) => one.name === wanted);
  if (found) return found;
  if (wanted !== undefined && fitting.length > 0) {
    throw new OperatorError(
      'usage',
      `there is no ${kind} scheduler "${shown(wanted)}" for ${builders.join(', ')} in ${name}: there is ${fitting.map((one) => one.name).join(', ')}`,
    );
  }
  const ofKind = project.schedulers.filter((one) => one.kind === kind);
  const { what, done, call } = WORDS[kind];
  throw new OperatorError(
    'conflict',
    ofKind.length === 0
      ? `${what} of ${name} cannot be ${done}: add ${call} to its schedulers and reload`
      : `${what} of ${name} cannot be ${done} by ${builders.join(', ')}: no ${call} of it has them in its builders; add them there and reload`,
  );
}

/** Throws who switched the scheduler off, and how it is switched on. */
export async function demandOn(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  project: string,
  { name }: SchedulerShape,
): Promise<void> {
  const records = await store.schedulers.list();
  const off = records.find((one) => one.project === project && one.scheduler === name)?.off;
  if (!off) return;
  throw new OperatorError(
    'conflict',
    `scheduler ${project}/${name} ${offText(off, clock.now())}; "scheduler enable ${project}/${name}" switches it on`,
  );
}
