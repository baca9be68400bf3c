import type { Json } from '../../model/json.ts';
import type { GlobOptions, UploadOptions } from '../step-files.ts';
import type { StepConfig } from '../values.ts';
import { builtIn } from './built-in.ts';
import type { StepOptions } from './step.ts';
import { resolve } from './wanted.ts';
import type { Wanted } from './wanted.ts';

/** Copies a file of the worker to the master. */
export function upload(
  name: string,
  path: Wanted<string>,
  to: Wanted<string>,
  options: UploadOptions & StepOptions = {},
): StepConfig {
  return builtIn(name, 'upload', { path, to }, options, (own) => async (ctx) => {
    const source = await resolve(ctx, path);
    await ctx.upload(source, await resolve(ctx, to), own);
  });
}

/** Of all of them. */
export interface UploadFilesOptions extends UploadOptions, GlobOptions, StepOptions {
  /** The pattern begins in this folder, and so do the files on the master; default: the build's. */
  readonly from?: Wanted<string>;
  /** None at all is a failure; default true. */
  readonly mustMatch?: boolean;
}

/** Copies the files of the worker that a pattern means into a folder of the master, each by its path. */
export function uploadFiles(
  name: string,
  pattern: Wanted<string>,
  to: Wanted<string>,
  options: UploadFilesOptions = {},
): StepConfig {
  return builtIn(name, 'uploadFiles', { pattern, to }, options, (own) => async (ctx) => {
    const { from, mustMatch = true, limit, ...each } = own;
    const folder = from === undefined ? '' : `${(await resolve(ctx, from)).replace(/\/+$/, '')}/`;
    const wanted = await resolve(ctx, pattern);
    const target = (await resolve(ctx, to)).replace(/\/+$/, '');
    const files = await ctx.glob(folder + wanted, limit === undefined ? {} : { limit });
    if (files.length === 0 && mustMatch) return { result: 'failure', summary: `"${folder}${wanted}" means no file` };
    for (const file of files) await ctx.upload(file, `${target}/${file.slice(folder.length)}`, each);
    return { result: 'success', summary: files.length === 1 ? '1 file' : `${files.length} files` };
  });
}

export interface DownloadOptions extends StepOptions {
  /** Permissions of the file on the worker; default `0o644`. */
  readonly mode?: number;
}

/** Copies a file of the master to the worker. */
export function download(
  name: string,
  from: Wanted<string>,
  path: Wanted<string>,
  options: DownloadOptions & { readonly sha256?: string } = {},
): StepConfig {
  return builtIn(name, 'download', { from, path }, options, (own) => async (ctx) => {
    const source = await resolve(ctx, from);
    await ctx.download(source, await resolve(ctx, path), own);
  });
}

/** Writes a text into a file of the worker. */
export function downloadText(
  name: string,
  text: Wanted<string>,
  path: Wanted<string>,
  options: DownloadOptions = {},
): StepConfig {
  return builtIn(name, 'downloadText', { text, path }, options, (own) => async (ctx) => {
    const content = await resolve(ctx, text);
    await ctx.download({ text: content }, await resolve(ctx, path), own);
  });
}

/** Writes a value as JSON into a file of the worker. */
export function downloadJson(
  name: string,
  value: Wanted<Json>,
  path: Wanted<string>,
  options: DownloadOptions = {},
): StepConfig {
  const text: Wanted<string> = async (ctx) => `${JSON.stringify(await resolve(ctx, value), null, 2)}\n`;
  return { ...downloadText(name, text, path, options), made: { of: 'downloadJson', value, path, mode: options.mode } };
}

/** Writes the build's properties as JSON, `{"properties": {…}}`, into a file of the worker. */
export function downloadProperties(name: string, path: Wanted<string>, options: DownloadOptions = {}): StepConfig {
  const text: Wanted<string> = (ctx) => `${JSON.stringify({ properties: ctx.properties }, null, 2)}\n`;
  return { ...downloadText(name, text, path, options), made: { of: 'downloadProperties', path, mode: options.mode } };
}
