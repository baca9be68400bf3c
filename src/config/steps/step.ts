import type { StepRules } from '../../model/result.ts';
import type { StepFunction } from '../step-context.ts';
import type { LockWish, StepConfig } from '../values.ts';

/** How the step's result counts (absent: a failure halts the build and makes it fail), and the locks that it holds while it runs. */
export interface StepOptions extends Partial<StepRules> {
  readonly locks?: readonly LockWish[];
}

/** A step of your own code. */
export function step(name: string, run: StepFunction, options: StepOptions = {}): StepConfig {
  const { locks, ...rules } = options;
  return { kind: 'step', name, rules, ...(locks && { locks }), run };
}

/** What every step may be given, apart from the options of its own. */
export function splitOptions<T extends StepOptions>(
  options: T,
): [Pick<StepConfig, 'rules' | 'locks'>, Omit<T, keyof StepOptions>] {
  const { locks, haltOnFailure, flunkOnFailure, warnOnFailure, flunkOnWarnings, warnOnWarnings, alwaysRun, ...rest } =
    options;
  const rules = { haltOnFailure, flunkOnFailure, warnOnFailure, flunkOnWarnings, warnOnWarnings, alwaysRun };
  const given = Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
  return [{ rules: given, ...(locks && { locks }) }, rest];
}
