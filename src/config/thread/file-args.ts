import { ARTIFACT_NAME_RULE, isArtifactName } from '../../model/artifact.ts';
import type { FetchOptions, FileStat, GlobOptions, KeepOptions, UploadOptions } from '../step-files.ts';
import type {
  FindArtifactArgs,
  FoundArtifact,
  GetArgs,
  GlobArgs,
  KeepArgs,
  PutArgs,
  StatAnswer,
  TwoPathArgs,
} from '../calls.ts';

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

export function keepArgs(path: string, { name = path, maxBytes }: KeepOptions): KeepArgs {
  return {
    path: text(path, 'path'),
    name: artifactName(name),
    ...(maxBytes !== undefined && { maxBytes: whole(maxBytes, 'maxBytes', 0, Number.MAX_SAFE_INTEGER) }),
  };
}

export function findArtifactArgs(name: string, { from, build = 'last good' }: FetchOptions): FindArtifactArgs {
  return {
    name: artifactName(name),
    ...(from !== undefined && { from: sourceName(from) }),
    ...(build !== 'last good' && { build: whole(build, 'build', 1, Number.MAX_SAFE_INTEGER) }),
  };
}

export function fetchArgs({ sha256, size }: FoundArtifact, path: string, { mode }: FetchOptions): PutArgs {
  return {
    path,
    source: { artifact: sha256, size },
    ...(mode !== undefined && { mode: whole(mode, 'mode', 0, MODES) }),
  };
}

function artifactName(name: string): string {
  if (isArtifactName(text(name, 'name'))) return name;
  throw new TypeError(`${JSON.stringify(name.slice(0, 100))} is no name for an artifact: use ${ARTIFACT_NAME_RULE}`);
}

function sourceName(from: string): string {
  const names = text(from, 'from').split('/');
  if (names.length <= 2 && names.every((name) => name !== '')) return from;
  throw new TypeError(`from is ${JSON.stringify(from)}; give 'PROJECT' or 'PROJECT/BUILDER'`);
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
