import type { StepFunction } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';

/** A step of ours: `of` and what it was given tell a reload whether it is another one now. */
export function builtIn<T extends StepOptions>(
  name: string,
  of: string,
  given: Readonly<Record<string, unknown>>,
  options: T,
  run: (own: Omit<T, keyof StepOptions>) => StepFunction,
): StepConfig {
  const [common, own] = splitOptions(options);
  return { kind: 'step', name, ...common, made: { of, ...given, ...own }, run: run(own) };
}
