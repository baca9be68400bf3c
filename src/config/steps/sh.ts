import type { StepConfig } from '../values.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';
import { runWanted } from './wanted.ts';
import type { CommandOptions, WantedCommand } from './wanted.ts';

/** One command: exit status 0 is success, all else a failure. */
export function sh(
  name: string,
  command: WantedCommand,
  options: Omit<CommandOptions, 'capture'> & StepOptions = {},
): StepConfig {
  const [common, runOptions] = splitOptions(options);
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'sh', command, ...runOptions },
    run: async (ctx) => {
      const { ok, summary } = await runWanted(ctx, command, runOptions);
      return ok ? undefined : { result: 'failure', summary };
    },
  };
}
