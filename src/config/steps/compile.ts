import { worse } from '../../model/result.ts';
import type { StepContext } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { observeAll } from './observe.ts';
import type { ShOptions } from './sh.ts';
import { splitOptions } from './step.ts';
import { parseSuppressions } from './suppressions.ts';
import type { Suppression } from './suppressions.ts';
import { resolve, runWanted } from './wanted.ts';
import type { Wanted, WantedCommand } from './wanted.ts';
import { WARNING, WarningReader } from './warning-reader.ts';
import type { WarningFunction } from './warning-reader.ts';

export interface CompileOptions extends Omit<ShOptions, 'exitCodes' | 'logEnvironment'> {
  /** Which lines are warnings; default: those of the usual compilers. A pattern may have the groups `file`, `line` and `text`. */
  readonly warnings?: RegExp | WarningFunction;
  /** Those that are not counted: a list, or a file on the worker with lines of `FILE : TEXT : FROM-TO`. */
  readonly suppress?: Wanted<string> | readonly Suppression[];
  /** More than these are a failure. */
  readonly maxWarnings?: number;
  /** Warnings make the step `warnings`; default true. */
  readonly asWarnings?: boolean;
}

const COUNT = 'warnings-count';
const LOG = 'warnings';
const SUPPRESSIONS_BYTES = 256 * 1024;
/** Of a property's name, that begins with the count's. */
const STEP_CHARACTERS = 80;

/**
 * A command whose warnings are counted: into the log `warnings`, the property `warnings-count` (of all such steps of the build) and
 * `warnings-count.STEP`.
 */
export function compile(name: string, command: WantedCommand, options: CompileOptions = {}): StepConfig {
  const [common, own] = splitOptions(options);
  const { warnings = WARNING, suppress = [], maxWarnings, asWarnings = true, observe = [], ...runOptions } = own;
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'compile', command, ...own },
    run: async (ctx) => {
      const reader = new WarningReader(warnings, await suppressionsOf(ctx, suppress, own.cwd));
      const { onLine, end } = observeAll(observe);
      const { ok, summary } = await runWanted(ctx, command, {
        ...runOptions,
        onLine(line) {
          reader.read(line);
          onLine(line);
        },
      });
      const { count, text } = reader;
      if (text !== '') await ctx.log(LOG, text);
      const before = ctx.property(COUNT);
      await ctx.setProperty(COUNT, count + (typeof before === 'number' ? before : 0));
      await ctx.setProperty(`${COUNT}.${name.slice(0, STEP_CHARACTERS).trimEnd()}`, count);
      const told = toldOf(reader, maxWarnings);
      const isTooMany = maxWarnings !== undefined && count > maxWarnings;
      const found = isTooMany ? 'failure' : count > 0 && asWarnings ? 'warnings' : 'success';
      const parts = [...(ok ? [] : [summary]), ...(told === undefined ? [] : [told])];
      return await end(ctx, {
        result: worse(ok ? 'success' : 'failure', found),
        ...(parts.length > 0 && { summary: parts.join(', ') }),
      });
    },
  };
}

function toldOf({ count, suppressed }: WarningReader, maxWarnings: number | undefined): string | undefined {
  if (count === 0) return undefined;
  const words = count === 1 ? '1 warning' : `${count} warnings`;
  const limit = maxWarnings !== undefined && count > maxWarnings ? `, more than ${maxWarnings}` : '';
  return `${words}${limit}${suppressed > 0 ? `, ${suppressed} suppressed` : ''}`;
}

async function suppressionsOf(
  ctx: StepContext,
  suppress: NonNullable<CompileOptions['suppress']>,
  cwd: CompileOptions['cwd'],
): Promise<readonly Suppression[]> {
  if (typeof suppress !== 'string' && typeof suppress !== 'function') return suppress;
  const file = await resolve(ctx, suppress);
  const options = { log: 'suppressions', capture: SUPPRESSIONS_BYTES, ...(cwd !== undefined && { cwd }) };
  const read = await runWanted(ctx, ['cat', '--', file], options);
  if (!read.ok) return ctx.fail(`the suppressions ${file} could not be read: ${read.summary}`);
  if (Buffer.byteLength(read.output) >= SUPPRESSIONS_BYTES) {
    return ctx.fail(`the suppressions ${file} are longer than ${SUPPRESSIONS_BYTES} bytes`);
  }
  try {
    return parseSuppressions(read.output);
  } catch (error) {
    return ctx.fail(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
