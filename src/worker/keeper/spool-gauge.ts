import { statfsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../base/errors.ts';
import { listCommands } from './command-files.ts';
import type { KeeperLimits } from './keeper-limits.ts';

/** What the answer may be old, while output streams. */
const FRESH_MS = 100;
/** Output of ended commands and of other keepers changes slowly. */
const OTHERS_FRESH_MS = 5_000;

/** Whether the worker's disk lends more room to output. */
export class SpoolGauge {
  readonly #spoolDir: string;
  readonly #limits: KeeperLimits;
  /** Bytes of the commands that run in this keeper, and their names. */
  readonly #running: () => { readonly bytes: number; readonly names: ReadonlySet<string> };
  #othersBytes = 0;
  #othersAtMs = -Infinity;
  #isCounting = false;
  #hasRoom = true;
  #isDiskLow = false;
  #atMs = -Infinity;

  constructor(
    spoolDir: string,
    limits: KeeperLimits,
    running: () => { readonly bytes: number; readonly names: ReadonlySet<string> },
  ) {
    this.#spoolDir = spoolDir;
    this.#limits = limits;
    this.#running = running;
  }

  hasRoom(): boolean {
    this.#look();
    return this.#hasRoom;
  }

  isDiskLow(): boolean {
    this.#look();
    return this.#isDiskLow;
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#atMs <= FRESH_MS) return;
    this.#atMs = now;
    if (now - this.#othersAtMs > OTHERS_FRESH_MS) void this.#countOthers();
    const held = this.#othersBytes + this.#running().bytes;
    this.#isDiskLow = freeBytes(this.#spoolDir) <= this.#limits.freeBytes;
    this.#hasRoom = held < this.#limits.workerBytes && !this.#isDiskLow;
  }

  async #countOthers(): Promise<void> {
    if (this.#isCounting) return;
    this.#isCounting = true;
    try {
      const { names } = this.#running();
      let bytes = 0;
      for (const command of listCommands(this.#spoolDir)) {
        if (!names.has(command)) bytes += await spoolBytesOf(join(this.#spoolDir, command));
      }
      this.#othersBytes = bytes;
    } catch {
      // The spool is gone, or descriptors are short: the last figure serves until the next count.
    } finally {
      this.#othersAtMs = performance.now();
      this.#isCounting = false;
    }
  }
}

function freeBytes(dir: string): number {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  } catch {
    // The spool is gone, or its disk does not answer: nothing is read for it, until it does.
    return -1;
  }
}

async function spoolBytesOf(dir: string): Promise<number> {
  try {
    const names = await readdir(dir);
    const sizes = await Promise.all(
      names.filter((name) => name.startsWith('out.')).map(async (name) => (await stat(join(dir, name))).size),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch (error) {
    // Deleted while we looked.
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}
