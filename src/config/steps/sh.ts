import type { RunOptions } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';

/** One command: exit status 0 is success, all else a failure. */
export function sh(
  name: string,
  command: string | readonly string[],
  options: Omit<RunOptions, 'capture'> & StepOptions = {},
): StepConfig {
  const [common, runOptions] = splitOptions(options);
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'sh', command, ...runOptions },
    run: async (ctx) => {
      const { ok, summary } = await ctx.run(command, runOptions);
      return ok ? undefined : { result: 'failure', summary };
    },
  };
}
