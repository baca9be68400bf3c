import type { RebootOptions } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';

/** A service's user needs the right to it: a line for sudo, as docs/operating.md shows. */
const REBOOT = 'if [ "$(id -u)" = 0 ]; then exec systemctl reboot; else exec sudo -n systemctl reboot; fi';

/** Restarts the worker's machine; the steps after it run on the new boot, in the same folder. */
export function reboot(
  name: string,
  command: string | readonly string[] = REBOOT,
  options: RebootOptions & StepOptions = {},
): StepConfig {
  const [common, rebootOptions] = splitOptions(options);
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'reboot', command, ...rebootOptions },
    run: (ctx) => ctx.reboot(command, rebootOptions),
  };
}
