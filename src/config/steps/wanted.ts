import type { RunOptions, RunResult, StepContext } from '../step-context.ts';

/**
 * A value, or a function of the context that makes it when the step runs. The function is run again with its step after a
 * restart, so it must answer the same: what it takes from `ctx` does.
 */
export type Wanted<T> = T | ((ctx: StepContext) => T | Promise<T>);

export async function resolve<T>(ctx: StepContext, value: Wanted<T>): Promise<T> {
  return typeof value === 'function' ? await (value as (ctx: StepContext) => T | Promise<T>)(ctx) : value;
}

type Env = NonNullable<RunOptions['env']>;

export type WantedCommand = Wanted<string | readonly string[]>;

/** Those of the options of a command that a function may make. */
interface WantedOptions {
  readonly cwd?: Wanted<string | undefined>;
  readonly env?: Wanted<Readonly<Record<string, Wanted<Env[string] | undefined>>>>;
  readonly logFiles?: Wanted<RunOptions['logFiles']>;
}

/** What `ctx.run` takes, for a step that is written down before there is a context. */
export type CommandOptions = Omit<RunOptions, keyof WantedOptions> & WantedOptions;

/** Runs a command of a step: all that functions make of it is made first. */
export async function runWanted(
  ctx: StepContext,
  command: WantedCommand,
  options: CommandOptions = {},
): Promise<RunResult> {
  return await ctx.run(await resolve(ctx, command), await resolveOptions(ctx, options));
}

/** What `ctx.run` takes, with all that functions make of it. */
export async function resolveOptions(
  ctx: StepContext,
  { cwd, env, logFiles, ...rest }: CommandOptions,
): Promise<RunOptions> {
  const folder = await resolve(ctx, cwd);
  const variables = await resolveEnv(ctx, env);
  const files = await resolve(ctx, logFiles);
  return {
    ...rest,
    ...(folder !== undefined && { cwd: folder }),
    ...(variables && { env: variables }),
    ...(files && { logFiles: files }),
  };
}

/** A variable whose function gives nothing is left as it was. */
async function resolveEnv(ctx: StepContext, env: CommandOptions['env']): Promise<Env | undefined> {
  const wanted = await resolve(ctx, env);
  if (!wanted) return undefined;
  const made: Record<string, Env[string]> = {};
  for (const [name, value] of Object.entries(wanted)) {
    const resolved = await resolve(ctx, value);
    if (resolved !== undefined) made[name] = resolved;
  }
  return made;
}
