import { RESULTS } from '../../model/result.ts';
import type { Result } from '../../model/result.ts';
import type { RunResult } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { observeAll } from './observe.ts';
import type { LineObserver } from './observe.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';
import { resolve, resolveOptions } from './wanted.ts';
import type { CommandOptions, WantedCommand } from './wanted.ts';

type ExitCodes = Readonly<Record<number, Result>>;

export interface ShOptions extends Omit<CommandOptions, 'capture' | 'onLine'>, StepOptions {
  /** What its output says becomes properties, a part of the summary, the result. */
  readonly observe?: readonly LineObserver[];
  /** What exit statuses mean, apart from 0 (success) and all others (failure): `{ 1: 'warnings', 77: 'skipped' }`. */
  readonly exitCodes?: ExitCodes;
  /** Prints the command's environment into a log `environment` before it. */
  readonly logEnvironment?: boolean;
}

/** One command: exit status 0 is success, all else a failure, unless `exitCodes` says otherwise. */
export function sh(name: string, command: WantedCommand, options: ShOptions = {}): StepConfig {
  const [common, own] = splitOptions(options);
  const { observe, exitCodes = {}, logEnvironment = false, ...runOptions } = own;
  checkExitCodes(exitCodes);
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'sh', command, ...own },
    run: async (ctx) => {
      const { onLine, end } = observeAll(observe ?? []);
      const words = await resolve(ctx, command);
      const given = await resolveOptions(ctx, runOptions);
      if (logEnvironment) {
        const { cwd, env, prepend } = given;
        const same = { ...(cwd !== undefined && { cwd }), ...(env && { env }), ...(prepend && { prepend }) };
        await ctx.run(['env'], { ...same, log: 'environment' });
      }
      // The first command of a step writes to `stdio`, which this is for whoever looks at it.
      const log = logEnvironment ? { log: 'stdio' } : {};
      const ran = await ctx.run(words, { ...log, ...given, ...(observe && { onLine }) });
      return await end(ctx, outcomeOf(ran, exitCodes));
    },
  };
}

function outcomeOf({ ok, exitCode, timedOut, summary }: RunResult, exitCodes: ExitCodes) {
  // What we ended had no say in its exit status.
  const meant = exitCode === null || timedOut !== null ? undefined : exitCodes[exitCode];
  const result: Result = meant ?? (ok ? 'success' : 'failure');
  return { result, ...(!ok && { summary }) };
}

function checkExitCodes(exitCodes: ExitCodes): void {
  for (const [code, result] of Object.entries(exitCodes)) {
    if (!/^\d{1,3}$/.test(code) || Number(code) > 255) throw new TypeError(`${code} is no exit status: from 0 to 255`);
    if (!RESULTS.includes(result)) {
      throw new TypeError(`exit status ${code} cannot mean ${JSON.stringify(result)}: one of ${RESULTS.join(', ')}`);
    }
  }
}
