import type { StepContext, TestSource } from '../step-context.ts';
import type { StepConfig } from '../values.ts';
import { builtIn } from './built-in.ts';
import type { StepOptions } from './step.ts';
import { resolve } from './wanted.ts';
import type { Wanted } from './wanted.ts';

export interface TestsOptions extends StepOptions {
  /** What the step ends as when tests failed; default `failure`. What cannot be read is always a failure. */
  readonly onFailed?: 'failure' | 'warnings';
  /** That there is no file of results is no failure. */
  readonly allowEmpty?: boolean;
}

/** Where a TAP step finds its results: files of the worker, or the log of a step before. */
export type TapSource =
  { readonly file: Wanted<string | readonly string[]> } | { readonly step: string; readonly log?: string };

/** Keeps the results of tests that are in JUnit's XML; fails when one of them failed. */
export function junit(name: string, files: Wanted<string | readonly string[]>, options: TestsOptions = {}): StepConfig {
  return testsStep(name, 'junit', files, options, async (ctx) => ({ junit: await resolve(ctx, files) }));
}

/** The same of TAP. */
export function tap(name: string, source: TapSource, options: TestsOptions = {}): StepConfig {
  return testsStep(name, 'tap', source, options, async (ctx) => {
    if ('file' in source) return { tap: await resolve(ctx, source.file) };
    const { step, log = 'stdio' } = source;
    return { tap: { step, log } };
  });
}

function testsStep(
  name: string,
  of: string,
  from: unknown,
  options: TestsOptions,
  source: (ctx: StepContext) => Promise<TestSource>,
): StepConfig {
  return builtIn(name, of, { from }, options, ({ onFailed = 'failure', allowEmpty = false }) => async (ctx) => {
    const { ok, problems, summary } = await ctx.testResults(await source(ctx), { allowEmpty });
    return { result: ok ? 'success' : problems.length > 0 ? 'failure' : onFailed, summary };
  });
}
