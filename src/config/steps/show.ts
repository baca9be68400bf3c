import type { Json } from '../../model/json.ts';
import type { StepConfig } from '../values.ts';
import { builtIn } from './built-in.ts';
import type { StepOptions } from './step.ts';
import { resolve } from './wanted.ts';
import type { Wanted } from './wanted.ts';

const LOG = 'value';

/** Writes a value to the log `value`: a text as it is, anything else as JSON. */
export function show(name: string, value: Wanted<Json | undefined>, options: StepOptions = {}): StepConfig {
  return builtIn(name, 'show', { value }, options, () => async (ctx) => {
    const shown = await resolve(ctx, value);
    const text = typeof shown === 'string' ? shown : shown === undefined ? 'undefined' : JSON.stringify(shown, null, 2);
    await ctx.log(LOG, text.endsWith('\n') ? text : `${text}\n`);
  });
}
