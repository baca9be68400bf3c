import type { SchedulerShape } from '../../config/scheduler-shape.ts';
import type { ProjectShape } from '../../config/shape.ts';
import { OperatorError } from '../operator.ts';

const WORDS = {
  force: { what: 'builds', done: 'forced', call: 'force()' },
  try: { what: 'patches', done: 'tried', call: 'tryBuilds()' },
} as const;

/** The scheduler by which people ask for builds of these builders; throws what to write into the configuration when there is none. */
export function askedScheduler(
  { name, schedulers }: Pick<ProjectShape, 'name' | 'schedulers'>,
  kind: 'force' | 'try',
  builders: readonly string[],
): SchedulerShape {
  const ofKind = schedulers.filter((one) => one.kind === kind);
  const found = ofKind.find((one) => builders.every((builder) => one.builders.includes(builder)));
  if (found) return found;
  const { what, done, call } = WORDS[kind];
  throw new OperatorError(
    'conflict',
    ofKind.length === 0
      ? `${what} of ${name} cannot be ${done}: add ${call} to its schedulers and reload`
      : `${what} of ${name} cannot be ${done} by ${builders.join(', ')}: no ${call} of it has them in its builders; add them there and reload`,
  );
}
