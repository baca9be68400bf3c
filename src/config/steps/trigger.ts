import type { JsonObject } from '../../model/json.ts';
import type { TriggerOptions } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';
import { resolve } from './wanted.ts';
import type { Wanted } from './wanted.ts';

export interface TriggerStepOptions extends Omit<TriggerOptions, 'properties' | 'source' | 'externalId'>, StepOptions {
  /** Names of triggerable schedulers of the own project, or `PROJECT/NAME`. */
  readonly schedulers: readonly string[];
  /** The properties that their builds begin with, or what makes them. */
  readonly properties?: Wanted<JsonObject>;
  /** Instead of what this build is of, or what makes it; undefined: that. */
  readonly source?: Wanted<TriggerOptions['source']>;
  readonly externalId?: Wanted<string | undefined>;
}

/** Has builds made by triggerable schedulers; with `wait` the step ends as the worst of those that count. */
export function trigger(name: string, options: TriggerStepOptions): StepConfig {
  const [common, { schedulers, properties = {}, source, externalId, ...own }] = splitOptions(options);
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'trigger', schedulers, properties, source, externalId, ...own },
    run: async (ctx) => {
      const given = await resolve(ctx, properties);
      const of = await resolve(ctx, source);
      const id = await resolve(ctx, externalId);
      const { result, summary } = await ctx.trigger(schedulers, {
        ...own,
        ...(of !== undefined && { source: of }),
        ...(id !== undefined && { externalId: id }),
        properties: given,
      });
      return { result: result ?? 'success', summary };
    },
  };
}
