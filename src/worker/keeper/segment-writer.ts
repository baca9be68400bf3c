import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentName } from './command-files.ts';

/**
 * Appends a command's output to its numbered segment files. The next segment is made as soon as one is full, so the newest
 * one is always there to tell where the output ends, and every full one may be deleted.
 *
 * Writes are synchronous on purpose: they go to the page cache in some 20 µs, and the order of bytes needs no queue.
 */
export class SegmentWriter {
  readonly #dir: string;
  readonly #segmentBytes: number;
  #fd: number | undefined;
  #end = 0;
  #first = 0;

  constructor(dir: string, segmentBytes: number) {
    this.#dir = dir;
    this.#segmentBytes = segmentBytes;
  }

  /** Bytes written since the command began. */
  get end(): number {
    return this.#end;
  }

  /** Bytes on disk, as of the last `look`. */
  get heldBytes(): number {
    return this.#end - Math.min(this.#end, this.#first * this.#segmentBytes);
  }

  /** Sees which segments were deleted. */
  look(): void {
    const last = Math.floor(this.#end / this.#segmentBytes);
    while (this.#first < last && !existsSync(join(this.#dir, segmentName(this.#first)))) this.#first++;
  }

  /** Writes all of it, or throws: how far it came is what `end` grew by. */
  write(bytes: Uint8Array): void {
    const begin = this.#end;
    while (this.#end - begin < bytes.byteLength) {
      const done = this.#end - begin;
      const room = this.#segmentBytes - (this.#end % this.#segmentBytes);
      this.#fd ??= this.#openSegment();
      this.#end += writeSync(this.#fd, bytes, done, Math.min(room, bytes.byteLength - done));
      if (this.#end % this.#segmentBytes === 0) {
        closeSync(this.#fd);
        this.#fd = undefined;
        this.#fd = this.#openSegment();
      }
    }
  }

  /** Makes the last segment durable: the earlier ones had their time. */
  async close(): Promise<void> {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    const file = await open(join(this.#dir, segmentName(Math.floor(this.#end / this.#segmentBytes))), 'r');
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  #openSegment(): number {
    return openSync(join(this.#dir, segmentName(Math.floor(this.#end / this.#segmentBytes))), 'a', 0o600);
  }
}
