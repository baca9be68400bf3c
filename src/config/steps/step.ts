import type { StepRules } from '../../model/result.ts';
import type { StepFunction } from '../step-context.ts';
import type { StepConfig } from '../values.ts';

/** How the step's result counts; absent: a failure halts the build and makes it fail. */
export type StepOptions = Partial<StepRules>;

/** A step of your own code. */
export function step(name: string, run: StepFunction, options: StepOptions = {}): StepConfig {
  return { kind: 'step', name, rules: { ...options }, run };
}

/** The options that are rules, apart from the others. */
export function splitRules<T extends StepOptions>(options: T): [StepOptions, Omit<T, keyof StepRules>] {
  const { haltOnFailure, flunkOnFailure, warnOnFailure, flunkOnWarnings, warnOnWarnings, alwaysRun, ...rest } = options;
  const rules = { haltOnFailure, flunkOnFailure, warnOnFailure, flunkOnWarnings, warnOnWarnings, alwaysRun };
  return [Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined)), rest];
}
