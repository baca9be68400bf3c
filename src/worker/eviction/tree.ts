import { chmod, lstat, opendir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { errorCode } from '../../base/errors.ts';
import { sleep } from '../../base/sleep.ts';
import { SLICE_ENTRIES, SLICE_PAUSE_MS } from './work-limits.ts';

/** What is left behind may be added to by a process that lives on: tried so often. */
const TRIES = 5;
/** Hard links that are remembered, so that a file with two names is counted once. */
const MOST_LINKS = 100_000;

/** Goes through trees entry by entry: many small calls with pauses, whatever the size. No link is followed, no other disk entered. */
export class TreeWalk {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #entries = 0;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Removes the tree, or the file. Rejects when something of it cannot be removed, or when the signal is aborted. */
  async remove(path: string): Promise<void> {
    const stat = await lstat(path);
    if (!stat.isDirectory()) return await unlink(path);
    await this.#remove(path, stat.dev);
  }

  /** Bytes on the disk. What vanishes meanwhile is not counted, nor what cannot be read. */
  async measure(path: string): Promise<number> {
    const stat = await lstat(path);
    return stat.isDirectory() ? await this.#measure(path, stat.dev, new Set()) : stat.blocks * BLOCK_BYTES;
  }

  async #remove(folder: string, dev: number): Promise<void> {
    for (let left = TRIES; ; left--) {
      await this.#removeContent(folder, dev);
      try {
        return await rmdir(folder);
      } catch (error) {
        if (errorCode(error) !== 'ENOTEMPTY' || left <= 1) throw error;
      }
    }
  }

  async #removeContent(folder: string, dev: number): Promise<void> {
    if ((await lstat(folder)).dev !== dev) throw new Error(`${folder} is the root of another file system`);
    for (const isSecond of [false, true]) {
      try {
        for await (const entry of await opendir(folder)) {
          await this.#step();
          const path = join(folder, entry.name);
          if (entry.isDirectory()) await this.#remove(path, dev);
          else await unlink(path);
        }
        return;
      } catch (error) {
        // Builds make folders that their owner may not change, as caches of modules are.
        if (isSecond || errorCode(error) !== 'EACCES') throw error;
        await chmod(folder, 0o700);
      }
    }
  }

  async #measure(folder: string, dev: number, seen: Set<string>): Promise<number> {
    let bytes = 0;
    try {
      for await (const entry of await opendir(folder)) {
        await this.#step();
        const path = join(folder, entry.name);
        const stat = await lstat(path);
        if (stat.dev !== dev) continue;
        if (stat.nlink > 1 && !stat.isDirectory()) {
          if (seen.has(String(stat.ino))) continue;
          if (seen.size < MOST_LINKS) seen.add(String(stat.ino));
        }
        bytes += stat.blocks * BLOCK_BYTES;
        if (entry.isDirectory()) bytes += await this.#measure(path, dev, seen);
      }
    } catch (error) {
      if (this.#signal.aborted || !UNREADABLE.has(errorCode(error) ?? '')) throw error;
    }
    return bytes;
  }

  async #step(): Promise<void> {
    this.#signal.throwIfAborted();
    this.#entries += 1;
    if (this.#entries % SLICE_ENTRIES === 0) await sleep(this.#clock, SLICE_PAUSE_MS, this.#signal);
  }
}

/** Of `st_blocks` (POSIX leaves it open, but all that we run on say 512). */
const BLOCK_BYTES = 512;
const UNREADABLE: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP']);
