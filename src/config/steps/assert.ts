import type { StepContext } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { builtIn } from './built-in.ts';
import type { StepOptions } from './step.ts';

/** Holds (`true`), does not (`false`), or does not for the reason that the text is. */
export type Assertion = (ctx: StepContext) => boolean | string | Promise<boolean | string>;

/** Fails, with the words that `holds` gives, unless it gives `true`. */
export function assert(name: string, holds: Assertion, options: StepOptions = {}): StepConfig {
  return builtIn(name, 'assert', { holds }, options, () => async (ctx) => {
    const told: unknown = await holds(ctx);
    if (told === true) return undefined;
    if (told === false || typeof told === 'string') return ctx.fail(told || 'it does not hold');
    throw new TypeError(`an assertion gave ${typeof told}; it gives true, false, or a text that says why not`);
  });
}
