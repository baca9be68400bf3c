import type {
  AfterScheduler,
  AnyBranchScheduler,
  ChangeScheduler,
  ForceScheduler,
  NightlyScheduler,
  PeriodicScheduler,
  TriggerableScheduler,
  TryScheduler,
} from './scheduler-values.ts';

type Options<T> = Omit<T, 'kind' | 'every' | 'at' | 'upstream'>;

/** People may ask for builds of the project, or of the builders that are named. */
export function force(options: Options<ForceScheduler> = {}): ForceScheduler {
  return { ...options, kind: 'force' };
}

/** Changes of the branch that the master is told of are built: each at once, or together when the branch is `quiet`. */
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

/** The same for every branch, each for itself. */
export function anyBranch(options: Options<AnyBranchScheduler> = {}): AnyBranchScheduler {
  return { ...options, kind: 'anyBranch' };
}

/** Builds again and again: at once, then so long after the last time. */
export function periodic(
  every: PeriodicScheduler['every'],
  options: Options<PeriodicScheduler> = {},
): PeriodicScheduler {
  return { ...options, kind: 'periodic', every };
}

/** Builds at times as in crontab(5): minute, hour, day of the month, month, day of the week, by the clock of `zone` (UTC). */
export function nightly(at: string, options: Options<NightlyScheduler> = {}): NightlyScheduler {
  return { ...options, kind: 'nightly', at };
}

/** Builds when all that another scheduler had built at one time succeeded: the same source, at the revision that was built there. */
export function after(upstream: string, options: Options<AfterScheduler> = {}): AfterScheduler {
  return { ...options, kind: 'after', upstream };
}

/** People may have patches built that are in no repository yet. */
export function tryBuilds(options: Options<TryScheduler> = {}): TryScheduler {
  return { ...options, kind: 'try' };
}
