import type { HttpOptions, StepContext } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { builtIn } from './built-in.ts';
import type { StepOptions } from './step.ts';
import { resolve } from './wanted.ts';
import type { Wanted } from './wanted.ts';

/** What `ctx.http` takes; most may be made by a function of the context. */
export type HttpStepOptions = StepOptions &
  Pick<HttpOptions, Plain> & { readonly [K in Exclude<keyof HttpOptions, Plain>]: Wanted<HttpOptions[K]> };

/** What no function makes. */
type Plain = 'timeout' | 'idempotent' | 'log';

/** Has the master send one request; fails unless the status is an expected one. */
export function http(name: string, options: HttpStepOptions): StepConfig {
  return builtIn(name, 'http', {}, options, (given) => async (ctx) => {
    const { ok, summary } = await ctx.http(await resolveAll(ctx, given));
    return { result: ok ? 'success' : 'failure', summary };
  });
}

async function resolveAll(ctx: StepContext, given: Omit<HttpStepOptions, keyof StepOptions>): Promise<HttpOptions> {
  const resolved: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const made: unknown = await resolve(ctx, value);
    if (made !== undefined) resolved[name] = made;
  }
  return resolved as unknown as HttpOptions;
}
