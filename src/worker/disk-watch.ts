import { showSize } from '../base/size.ts';
import type { Logger } from '../base/logger.ts';
import type { HeldBack } from './keeper/held-back.ts';

/** Tells in the worker's log when a disk that is too full begins to hold commands back, and when it no longer does. */
export class DiskWatch {
  readonly #logger: Logger;
  readonly #spoolDir: string;
  readonly #freeBytes: number;
  #isTold = false;

  constructor(logger: Logger, spoolDir: string, freeBytes: number) {
    this.#logger = logger;
    this.#spoolDir = spoolDir;
    this.#freeBytes = freeBytes;
  }

  see({ byDisk }: HeldBack): void {
    if (byDisk > 0 === this.#isTold) return;
    this.#isTold = byDisk > 0;
    const fields = { spool: this.#spoolDir, commands: byDisk };
    if (!this.#isTold) return this.#logger.info('there is room on the disk again: all output is read', fields);
    this.#logger.warn(
      `output held back: less than ${showSize(this.#freeBytes)} free on the disk of the spool, or it takes no more; the commands wait: make room, and they go on`,
      fields,
    );
  }
}
