import type { Result, StepRules } from '../../model/result.ts';
import type { StepContext, StepFunction } from '../step-context.ts';
import type { LockWish, StepConfig } from '../values.ts';
import type { Wanted } from './wanted.ts';

/** What every step takes. How its result counts: absent, a failure halts the build and makes it fail. */
export interface StepOptions extends Partial<StepRules> {
  /** Held while it runs. */
  readonly locks?: readonly LockWish[];
  /** If not, it is skipped. */
  readonly doIf?: Wanted<boolean>;
  /** It is left out where people look once it has ended like this, unless they ask for all. */
  readonly hideIf?: boolean | ((result: Result, ctx: StepContext) => boolean | Promise<boolean>);
  /** What it says of itself while it runs, and once it has ended, in a few words. */
  readonly description?: Wanted<string>;
  readonly descriptionDone?: Wanted<string>;
}

type Common = Pick<StepConfig, 'rules' | 'locks' | 'doIf' | 'hideIf' | 'description' | 'descriptionDone'>;

/** A step of your own code. */
export function step(name: string, run: StepFunction, options: StepOptions = {}): StepConfig {
  const [common] = splitOptions(options);
  return { kind: 'step', name, ...common, run };
}

/** What every step may be given, apart from the options of its own. */
export function splitOptions<T extends StepOptions>(options: T): [Common, Omit<T, keyof StepOptions>] {
  const { locks, doIf, hideIf, description, descriptionDone, ...others } = options;
  const { haltOnFailure, flunkOnFailure, warnOnFailure, flunkOnWarnings, warnOnWarnings, alwaysRun, ...rest } = others;
  const rules = { haltOnFailure, flunkOnFailure, warnOnFailure, flunkOnWarnings, warnOnWarnings, alwaysRun };
  return [
    { rules: given(rules), ...given({ locks, doIf, hideIf, description, descriptionDone }) },
    rest as Omit<T, keyof StepOptions>,
  ];
}

function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
