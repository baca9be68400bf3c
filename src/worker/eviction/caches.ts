import type { Stats } from 'node:fs';
import { lstat, mkdir, readFile, readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { errorCode } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { TRASH, Trash } from './trash.ts';
import type { TreeWalk } from './tree.ts';

/** In a cache: files that each hold the path of a folder which needs it for more than a moment, a work tree say. */
export const USERS = '.users';
/** A path is no longer. */
const MOST_PATH_BYTES = 4_096;

/** One cache: `KIND/NAME` below the folder of caches, made by the commands of builds. */
export interface Cache {
  readonly path: string;
  /** Whoever uses it changes the time of its folder. */
  readonly usedAtMs: number;
}

/**
 * What builds keep on the worker for the next ones: each command is told the folder as TRUNKLINE_CACHE. Nobody but the builds
 * knows what is in a cache; it may go whenever no build is in one of the folders that it has in `.users`.
 */
export class Caches {
  readonly #dir: string;
  readonly #walk: TreeWalk;
  readonly #trash: Trash;
  readonly #clock: Clock;
  /** Of caches that were measured, with when they had been used last then. */
  readonly #sizes = new Map<string, { readonly usedAtMs: number; readonly bytes: number }>();

  constructor(dir: string, walk: TreeWalk, clock: Clock, logger: Logger) {
    this.#dir = dir;
    this.#walk = walk;
    this.#clock = clock;
    this.#trash = new Trash(dir, walk, logger);
  }

  /** Their folder, made when it is not there: people remove it whole. */
  static async prepare(dir: string): Promise<void> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  }

  /** Those that no one needs of the folders in use, the least recently used first. */
  async idle(usedFolders: readonly string[]): Promise<readonly Cache[]> {
    const idle: Cache[] = [];
    for (const cache of await this.#list()) if (!(await isNeeded(cache, usedFolders))) idle.push(cache);
    return idle.toSorted((one, other) => one.usedAtMs - other.usedAtMs);
  }

  /** Bytes of all on the disk; each is measured once after a use. */
  async bytes(): Promise<number> {
    const all = await this.#list();
    const paths = new Set(all.map(({ path }) => path));
    for (const path of this.#sizes.keys()) if (!paths.has(path)) this.#sizes.delete(path);
    let sum = 0;
    for (const cache of all) sum += await this.#sizeOf(cache);
    return sum;
  }

  /** Out of the way at once; `empty` frees its room. */
  async evict({ path }: Cache): Promise<void> {
    await this.#trash.prepare();
    this.#trash.take(path, this.#clock.now());
    this.#sizes.delete(path);
  }

  empty(signal: AbortSignal): Promise<void> {
    return this.#trash.empty(signal);
  }

  /** Whether what goes here makes room there: both are on one disk. */
  async sharesDiskWith(folder: string): Promise<boolean> {
    const [own, other] = await Promise.all([lstatIfThere(this.#dir), lstatIfThere(folder)]);
    return own !== undefined && own.dev === other?.dev;
  }

  async #list(): Promise<readonly Cache[]> {
    const caches: Cache[] = [];
    for (const kind of await namesIn(this.#dir)) {
      if (kind === TRASH) continue;
      for (const name of await namesIn(join(this.#dir, kind))) {
        const path = join(this.#dir, kind, name);
        const stat = await lstatIfThere(path);
        if (stat) caches.push({ path, usedAtMs: stat.mtimeMs });
      }
    }
    return caches;
  }

  async #sizeOf({ path, usedAtMs }: Cache): Promise<number> {
    const known = this.#sizes.get(path);
    if (known?.usedAtMs === usedAtMs) return known.bytes;
    let bytes = 0;
    try {
      bytes = await this.#walk.measure(path);
    } catch (error) {
      // A build has removed it meanwhile.
      if (errorCode(error) !== 'ENOENT') throw error;
    }
    this.#sizes.set(path, { usedAtMs, bytes });
    return bytes;
  }
}

async function isNeeded({ path }: Cache, usedFolders: readonly string[]): Promise<boolean> {
  for (const name of await namesIn(join(path, USERS))) {
    const user = await userIn(join(path, USERS, name));
    if (usedFolders.some((folder) => user === folder || user.startsWith(folder + sep))) return true;
  }
  return false;
}

async function userIn(file: string): Promise<string> {
  const stat = await lstatIfThere(file);
  // A build wrote it: neither a link that hangs nor a gigabyte is read.
  if (!stat?.isFile() || stat.size > MOST_PATH_BYTES) return '';
  try {
    return (await readFile(file, 'utf8')).trimEnd();
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'EACCES') return '';
    throw error;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    // Not through a link: what it points to is no cache of ours.
    if (!(await lstat(folder)).isDirectory()) return [];
    return await readdir(folder);
  } catch (error) {
    const code = errorCode(error) ?? '';
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return [];
    throw error;
  }
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
