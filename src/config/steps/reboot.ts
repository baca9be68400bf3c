import type { RebootOptions } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';
import { resolve, resolveOptions } from './wanted.ts';
import type { CommandOptions, WantedCommand } from './wanted.ts';

/** A service's user needs the right to it: a line for sudo, as docs/operating.md shows. */
const REBOOT = 'if [ "$(id -u)" = 0 ]; then exec systemctl reboot; else exec sudo -n systemctl reboot; fi';

type RebootStepOptions = Omit<RebootOptions, 'cwd' | 'env'> & Pick<CommandOptions, 'cwd' | 'env'> & StepOptions;

/** Restarts the worker's machine; the steps after it run on the new boot, in the same folder. */
export function reboot(name: string, command: WantedCommand = REBOOT, options: RebootStepOptions = {}): StepConfig {
  const [common, own] = splitOptions(options);
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'reboot', command, ...own },
    run: async (ctx) => {
      const words = await resolve(ctx, command);
      await ctx.reboot(words, await resolveOptions(ctx, own));
    },
  };
}
