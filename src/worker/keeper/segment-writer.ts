import { closeSync, existsSync, openSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentName } from './command-files.ts';
import type { LogLayout } from './log-layout.ts';

/**
 * Appends a command's output to its numbered segment files. The next segment is made as soon as one is full, so the newest
 * one is always there to tell where the output ends, and every full one may be deleted. Behind the head of a log with a
 * limit the segments are a ring: the oldest go when they hold nothing of the tail any more.
 *
 * Writes are synchronous on purpose: they go to the page cache in some 20 µs, and the order of bytes needs no queue.
 */
export class SegmentWriter {
  readonly #dir: string;
  readonly #segmentBytes: number;
  readonly #headBytes: number;
  readonly #tailBytes: number;
  #fd: number | undefined;
  #end = 0;
  /** Segments below are deleted: of the head, by the daemon; of the ring, by us. */
  #first = 0;
  #firstOfRing: number;

  constructor(dir: string, { segmentBytes, cap }: LogLayout) {
    this.#dir = dir;
    this.#segmentBytes = segmentBytes;
    this.#headBytes = cap?.headBytes ?? Infinity;
    this.#tailBytes = cap?.tailBytes ?? Infinity;
    this.#firstOfRing = this.#headBytes / segmentBytes;
  }

  /** Bytes written since the command began. */
  get end(): number {
    return this.#end;
  }

  /** More output takes no more room: what is too old makes way. */
  get isRing(): boolean {
    return this.#end >= this.#headBytes;
  }

  /** Bytes on disk that go when the master has them, as of the last `look`; of a log with a limit, those of the head. */
  get heldBytes(): number {
    const headEnd = Math.min(this.#end, this.#headBytes);
    return headEnd - Math.min(headEnd, this.#first * this.#segmentBytes);
  }

  /** Sees which segments were deleted. */
  look(): void {
    const last = Math.floor(Math.min(this.#end, this.#headBytes) / this.#segmentBytes);
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
    const index = Math.floor(this.#end / this.#segmentBytes);
    this.#shortenRing(index);
    return openSync(join(this.#dir, segmentName(index)), 'a', 0o600);
  }

  /** Before the next one is made, so that a full disk gets its room. The last full one stays: it tells where the output ends. */
  #shortenRing(next: number): void {
    const tailStart = this.#end - this.#tailBytes;
    while (this.#firstOfRing < next - 1 && (this.#firstOfRing + 1) * this.#segmentBytes <= tailStart) {
      rmSync(join(this.#dir, segmentName(this.#firstOfRing)), { force: true });
      this.#firstOfRing++;
    }
  }
}
