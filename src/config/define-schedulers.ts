import type { ChangeScheduler, ForceScheduler, TriggerableScheduler, TryScheduler } from './scheduler-values.ts';

type Options<T> = Omit<T, 'kind'>;

/** People may ask for builds of the project, or of the builders that are named. */
export function force(options: Options<ForceScheduler> = {}): ForceScheduler {
  return { ...options, kind: 'force' };
}

/** Every change of the branch that the master is told of is built. */
export function onChange(options: Options<ChangeScheduler>): ChangeScheduler {
  return { ...options, kind: 'onChange' };
}

/** Its builds are made when a step asks for them, by `trigger()` or `ctx.trigger()`. */
export function triggerable(
  name: string,
  options: Omit<Options<TriggerableScheduler>, 'name'> = {},
): TriggerableScheduler {
  return { ...options, kind: 'triggerable', name };
}

/** People may have patches built that are in no repository yet. */
export function tryBuilds(options: Options<TryScheduler> = {}): TryScheduler {
  return { ...options, kind: 'try' };
}
