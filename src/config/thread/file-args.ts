import type { FileStat, GlobOptions, UploadOptions } from '../step-files.ts';
import type { GetArgs, GlobArgs, StatAnswer, TwoPathArgs } from '../calls.ts';

const MODES = 0o777;

/** A text that may not be empty. */
export function text(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new TypeError(`${what} is ${value === '' ? 'empty' : typeof value}; give a text`);
}

export function getArgs(path: string, to: string, { maxBytes, mode, keepStamp }: UploadOptions): GetArgs {
  return {
    path: text(path, 'path'),
    file: text(to, 'to'),
    ...(maxBytes !== undefined && { maxBytes: whole(maxBytes, 'maxBytes', 0, Number.MAX_SAFE_INTEGER) }),
    ...(mode !== undefined && { mode: whole(mode, 'mode', 0, MODES) }),
    ...(keepStamp === true && { keepsStamp: true }),
  };
}

export function globArgs(pattern: string, { limit }: GlobOptions): GlobArgs {
  return {
    path: text(pattern, 'pattern'),
    ...(limit !== undefined && { limit: whole(limit, 'limit', 1, Number.MAX_SAFE_INTEGER) }),
  };
}

export function twoPaths(from: string, to: string): TwoPathArgs {
  return { path: text(from, 'from'), to: text(to, 'to') };
}

export function fileStat({ type, size = 0, mode = 0, mtimeMs = 0 }: StatAnswer): FileStat {
  return { type, size, mode, mtimeMs };
}

function whole(value: number, what: string, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${what} is ${value}; give a whole number from ${least} to ${most}`);
}
