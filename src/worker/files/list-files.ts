import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../base/errors.ts';
import { globStart, globStep, isMatch, mayGoOn, parseGlob } from '../../model/glob.ts';
import type { GlobState } from '../../model/glob.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { TransferRefused } from './transfer-line.ts';

/** A walk sees so many names at most: some minutes of a slow disk. */
export const LIST_ENTRIES = 2_000_000;
/** Asked between so many names whether it is still wanted. */
const LOOK_EVERY = 1_000;

export interface ListWish {
  /** Absolute; links in it are not followed. */
  readonly folder: string;
  readonly pattern: string;
  /** More matches than these are an error. */
  readonly limit: number;
  /** Throws when nobody waits for it any more. */
  readonly check: () => void;
}

/**
 * The paths of the files and links below a folder that a pattern means, sorted. It reads folders piece by piece and only those
 * that may hold a match; what is removed meanwhile is left out.
 */
export async function listFiles({ folder, pattern, limit, check }: ListWish): Promise<readonly string[]> {
  const paths = parseGlob(pattern);
  const found: string[] = [];
  let seen = 0;
  let bytes = 0;
  const waiting: { readonly path: string; readonly state: GlobState }[] = [{ path: '', state: globStart(paths) }];
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    for await (const { name, isFolder, isFile } of namesIn(join(folder, at.path))) {
      seen += 1;
      if (seen % LOOK_EVERY === 0) check();
      if (seen > LIST_ENTRIES) {
        throw new TransferRefused(
          `"${pattern}" was looked for among ${LIST_ENTRIES} names and there are more: name the folder`,
        );
      }
      const state = globStep(paths, at.state, name);
      if (isFolder ? !mayGoOn(paths, state) : !isFile || !isMatch(paths, state)) continue;
      const path = at.path === '' ? name : `${at.path}/${name}`;
      // Node puts it for bytes that are no UTF-8: by that name the file could not be found again.
      if (name.includes('\uFFFD')) throw new TransferRefused(`"${pattern}" means "${path}", a name that is no UTF-8`);
      if (isFolder) {
        waiting.push({ path, state });
        continue;
      }
      found.push(path);
      bytes += Buffer.byteLength(path) + 1;
      if (found.length > limit || bytes > LIMITS.listBytes) throw tooMany(pattern, limit, found.length);
    }
  }
  return found.toSorted();
}

function tooMany(pattern: string, limit: number, count: number): TransferRefused {
  if (count > limit) return new TransferRefused(`"${pattern}" means more than ${limit} files`);
  return new TransferRefused(`the paths that "${pattern}" means take more than ${LIMITS.listBytes} bytes`);
}

interface Name {
  readonly name: string;
  readonly isFolder: boolean;
  /** Or a link. */
  readonly isFile: boolean;
}

async function* namesIn(folder: string): AsyncGenerator<Name> {
  let names;
  try {
    names = await opendir(folder);
  } catch (error) {
    // Removed, or put in place of a folder, since its name was read.
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return;
    throw error;
  }
  for await (const entry of names) {
    yield {
      name: entry.name,
      isFolder: entry.isDirectory(),
      isFile: entry.isFile() || entry.isSymbolicLink(),
    };
  }
}
