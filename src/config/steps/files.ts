import type { StepConfig } from '../values.ts';
import { builtIn } from './built-in.ts';
import type { StepOptions } from './step.ts';
import { resolve } from './wanted.ts';
import type { Wanted } from './wanted.ts';

export interface ExistsOptions extends StepOptions {
  /** Only this counts; default: a file. */
  readonly type?: 'file' | 'folder';
}

/** Fails when there is no such file (or folder) on the worker. */
export function exists(name: string, path: Wanted<string>, options: ExistsOptions = {}): StepConfig {
  return builtIn(name, 'exists', { path }, options, ({ type = 'file' }) => async (ctx) => {
    const at = await resolve(ctx, path);
    const found = await ctx.stat(at);
    if (found.type === type) return undefined;
    const is = found.type === 'none' ? 'is not there' : `is no ${type}, but: ${found.type}`;
    return { result: 'failure', summary: `${at} ${is}` };
  });
}

/** Makes a folder on the worker, with its parents. */
export function mkdir(name: string, path: Wanted<string>, options: StepOptions = {}): StepConfig {
  return builtIn(name, 'mkdir', { path }, options, () => async (ctx) => ctx.mkdir(await resolve(ctx, path)));
}

/** Removes a file or a tree on the worker; one that is not there is fine. */
export function remove(name: string, path: Wanted<string>, options: StepOptions = {}): StepConfig {
  return builtIn(name, 'remove', { path }, options, () => async (ctx) => ctx.remove(await resolve(ctx, path)));
}

/** Copies a file or a tree on the worker, in the place of what was there. */
export function copy(name: string, from: Wanted<string>, to: Wanted<string>, options: StepOptions = {}): StepConfig {
  return builtIn(name, 'copy', { from, to }, options, () => async (ctx) => {
    const source = await resolve(ctx, from);
    await ctx.copy(source, await resolve(ctx, to));
  });
}

/** Renames a file or a tree on the worker, in the place of what was there. */
export function rename(name: string, from: Wanted<string>, to: Wanted<string>, options: StepOptions = {}): StepConfig {
  return builtIn(name, 'rename', { from, to }, options, () => async (ctx) => {
    const source = await resolve(ctx, from);
    await ctx.move(source, await resolve(ctx, to));
  });
}
