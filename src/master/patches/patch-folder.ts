import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../base/atomic-file.ts';
import type { Clock } from '../../base/clock.ts';
import { errorCode, errorText } from '../../base/errors.ts';
import { showSize } from '../../base/size.ts';
import { ulid } from '../../base/ulid.ts';
import type { Patch } from '../../model/source-stamp.ts';
import { OperatorError } from '../operator.ts';
import { spoken } from './spoken.ts';
import { stalePatches } from './stale-patches.ts';
import type { StoredPatch } from './stale-patches.ts';

export interface PatchFolderOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** Ids of the patches that requests still want. */
  readonly inUse: () => Promise<readonly string[]>;
}

export const PATCH_MAX_BYTES = 32 * 1024 * 1024;
/** Of all patches on the master's disk. */
const FOLDER_MAX_BYTES = 1024 * 1024 * 1024;
/** Patches that are on their way here at the same time. */
const ARRIVING_MAX = 8;
/** Whoever says nothing for so long gives up his place. */
const SILENCE_MS = 60_000;
const WHOLE = '.patch';
const PART = '.part';

/**
 * The patches that people sent, a file each. One is on disk as a whole before a row can name it, and stays as long as a request
 * wants it; what a killed master left half made is removed at the next start.
 */
export class PatchFolder {
  readonly #options: PatchFolderOptions;
  /** Whole files, or nearly so, that no row names yet. */
  readonly #held = new Set<string>();
  #arriving = 0;

  private constructor(options: PatchFolderOptions) {
    this.#options = options;
  }

  static async open(options: PatchFolderOptions): Promise<PatchFolder> {
    const { dir } = options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    for (const name of await readdir(dir)) if (name.endsWith(PART)) await rm(join(dir, name));
    return new PatchFolder(options);
  }

  /**
   * Stores a patch as it comes, then has `use` make the row that names it; without such a row nothing stays. Rejects with an
   * `OperatorError` when it is empty, longer than `PATCH_MAX_BYTES`, or there is no room.
   */
  async take<T>(pieces: AsyncIterable<Uint8Array>, use: (patch: Patch) => Promise<T>): Promise<T> {
    if (this.#arriving >= ARRIVING_MAX) {
      throw new OperatorError('unavailable', `${ARRIVING_MAX} patches are on their way here: try again in a moment`);
    }
    const id = ulid(this.#options.clock.now());
    this.#arriving += 1;
    this.#held.add(id);
    try {
      await this.#makeRoom();
      const patch = await this.#receive(id, pieces);
      return await use(patch);
    } catch (error) {
      await rm(this.#path(id, WHOLE), { force: true });
      throw error;
    } finally {
      this.#arriving -= 1;
      this.#held.delete(id);
    }
  }

  /** Has `use` make another row that names a patch which is here; it stays meanwhile. Rejects when it is here no more. */
  async keep<T>({ id }: Patch, use: () => Promise<T>): Promise<T> {
    this.#held.add(id);
    try {
      await stat(this.#path(id, WHOLE));
      return await use();
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      throw new OperatorError('conflict', 'its patch is not kept any more: try it anew', { cause: error });
    } finally {
      this.#held.delete(id);
    }
  }

  async #receive(id: string, pieces: AsyncIterable<Uint8Array>): Promise<Patch> {
    const { dir, clock } = this.#options;
    const part = this.#path(id, PART);
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      const file = await open(part, 'wx', 0o600);
      try {
        for await (const piece of spoken(pieces, clock, SILENCE_MS)) {
          bytes += piece.byteLength;
          if (bytes > PATCH_MAX_BYTES) throw tooLong();
          hash.update(piece);
          await file.appendFile(piece);
        }
        if (bytes === 0) throw empty();
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, this.#path(id, WHOLE));
      await syncFolder(dir);
    } catch (error) {
      await rm(part, { force: true });
      if (errorCode(error) === undefined || error instanceof OperatorError) throw error;
      throw new OperatorError('unavailable', `the patch cannot be stored on the master: ${errorText(error)}`, {
        cause: error,
      });
    }
    return { id, sha256: hash.digest('hex'), bytes };
  }

  /** Removes what is old, and makes room for one more of the longest. */
  async #makeRoom(): Promise<void> {
    const { dir, clock, inUse } = this.#options;
    // In this order: one that is found here and not held any more has its row.
    const stored = await this.#list();
    const kept = new Set([...this.#held, ...(await inUse())]);
    const room = FOLDER_MAX_BYTES - PATCH_MAX_BYTES;
    const stale = new Set(stalePatches(stored, kept, clock.now(), room));
    for (const id of stale) await rm(this.#path(id, WHOLE), { force: true });
    const left = stored.filter(({ id }) => !stale.has(id)).reduce((sum, { bytes }) => sum + bytes, 0);
    if (left <= room) return;
    throw new OperatorError(
      'unavailable',
      `the patches that wait for their builds take all of the ${showSize(FOLDER_MAX_BYTES)} in ${dir}: stop some, or wait for their end`,
    );
  }

  async #list(): Promise<readonly StoredPatch[]> {
    const names = (await readdir(this.#options.dir)).filter((name) => name.endsWith(WHOLE));
    const found = await Promise.all(
      names.map(async (name): Promise<StoredPatch | undefined> => {
        const id = name.slice(0, -WHOLE.length);
        try {
          const { size, mtimeMs } = await stat(this.#path(id, WHOLE));
          return { id, bytes: size, atMs: mtimeMs };
        } catch (error) {
          // Another call made room at the same time.
          if (errorCode(error) === 'ENOENT') return undefined;
          throw error;
        }
      }),
    );
    return found.filter((patch) => patch !== undefined);
  }

  #path(id: string, suffix: string): string {
    return join(this.#options.dir, `${id}${suffix}`);
  }
}

function tooLong(): OperatorError {
  return new OperatorError(
    'usage',
    `the patch is longer than ${showSize(PATCH_MAX_BYTES)}: push a branch, and force a build of that`,
  );
}

function empty(): OperatorError {
  return new OperatorError(
    'usage',
    'no patch came on standard input: send one with "git diff HEAD --binary |"; new files are in it after "git add -N FILE"',
  );
}
