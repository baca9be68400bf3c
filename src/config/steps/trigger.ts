import type { JsonObject } from '../../model/json.ts';
import type { StepContext, TriggerOptions } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';

export interface TriggerStepOptions extends Omit<TriggerOptions, 'properties'>, StepOptions {
  /** Names of triggerable schedulers of the own project, or `PROJECT/NAME`. */
  readonly schedulers: readonly string[];
  /** The properties that their builds begin with, or what makes them. */
  readonly properties?: JsonObject | ((ctx: StepContext) => JsonObject | Promise<JsonObject>);
}

/** Has builds made by triggerable schedulers; with `wait` the step ends as the worst of those that count. */
export function trigger(name: string, options: TriggerStepOptions): StepConfig {
  const [common, { schedulers, properties = {}, ...own }] = splitOptions(options);
  return {
    kind: 'step',
    name,
    ...common,
    made: {
      of: 'trigger',
      schedulers,
      properties: typeof properties === 'function' ? Function.prototype.toString.call(properties) : properties,
      ...own,
    },
    run: async (ctx) => {
      const given = typeof properties === 'function' ? await properties(ctx) : properties;
      const { result, summary } = await ctx.trigger(schedulers, { ...own, properties: given });
      return { result: result ?? 'success', summary };
    },
  };
}
