import type { StepConfig } from '../values.ts';
import { observeAll } from './observe.ts';
import type { LineObserver } from './observe.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';
import { runWanted } from './wanted.ts';
import type { CommandOptions, WantedCommand } from './wanted.ts';

export interface ShOptions extends Omit<CommandOptions, 'capture' | 'onLine'>, StepOptions {
  /** What its output says becomes properties, a part of the summary, the result. */
  readonly observe?: readonly LineObserver[];
}

/** One command: exit status 0 is success, all else a failure. */
export function sh(name: string, command: WantedCommand, options: ShOptions = {}): StepConfig {
  const [common, { observe, ...runOptions }] = splitOptions(options);
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'sh', command, ...(observe && { observe }), ...runOptions },
    run: async (ctx) => {
      const { onLine, end } = observeAll(observe ?? []);
      const { ok, summary } = await runWanted(ctx, command, { ...runOptions, ...(observe && { onLine }) });
      return await end(ctx, ok ? { result: 'success' } : { result: 'failure', summary });
    },
  };
}
