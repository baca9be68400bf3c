import { renameSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { ulid } from '../../base/ulid.ts';
import type { TreeWalk } from './tree.ts';

/** Where folders go that are removed, below the work folder and that of caches: no session's folder is there. */
export const TRASH = '.trash';

/** What was taken away and is being removed. What a killed daemon left is removed by the next one. */
export class Trash {
  readonly #dir: string;
  readonly #walk: TreeWalk;
  readonly #logger: Logger;
  /** What could not be removed is tried again by the next daemon. */
  readonly #stuck = new Set<string>();

  constructor(dir: string, walk: TreeWalk, logger: Logger) {
    this.#dir = join(dir, TRASH);
    this.#walk = walk;
    this.#logger = logger;
  }

  async prepare(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
  }

  /** Takes the folder away at once; `prepare` has to be done. */
  take(folder: string, nowMs: number): void {
    renameSync(folder, join(this.#dir, ulid(nowMs)));
  }

  /** Removes all that was taken. Rejects only when the walk is aborted. */
  async empty(signal: AbortSignal): Promise<void> {
    for (const name of await this.#list()) {
      if (this.#stuck.has(name)) continue;
      const path = join(this.#dir, name);
      try {
        await this.#walk.remove(path);
      } catch (error) {
        if (signal.aborted) throw error;
        this.#stuck.add(name);
        this.#logger.warn(`an evicted folder could not be removed: ${errorText(error)}; remove it by hand`, { path });
      }
    }
  }

  async #list(): Promise<readonly string[]> {
    try {
      return await readdir(this.#dir);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    }
  }
}
