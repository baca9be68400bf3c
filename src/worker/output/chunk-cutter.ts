import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '../../base/clock.ts';
import { LIMITS } from '../../protocol/limits.ts';

const compress = promisify(gzip);

/** A piece of a log as it goes over the wire and into the archive. */
export interface Chunk {
  readonly offset: number;
  /** Bytes of log, before compression. */
  readonly length: number;
  readonly atMs: number;
  /** Newlines in it. */
  readonly lines: number;
  readonly codec: 'raw' | 'gzip';
  readonly body: Uint8Array;
}

export interface ChunkCutterOptions {
  /** Up to `maxBytes` of the log from `offset`; none when there is none yet. The cutter keeps what it is given. */
  readonly read: (offset: number, maxBytes: number) => Promise<Uint8Array>;
  readonly clock: Clock;
  /** Where to begin. */
  readonly from?: number;
  readonly maxBytes?: number;
}

/**
 * Cuts a log into chunks, one after the other. `next` may be called again before the last answer came: reads are done in
 * order, compression runs beside them on Node's thread pool, so the next chunk is ready while this one is being sent.
 */
export class ChunkCutter {
  readonly #options: ChunkCutterOptions;
  readonly #maxBytes: number;
  #offset: number;
  #reads: Promise<unknown> = Promise.resolve();

  constructor(options: ChunkCutterOptions) {
    this.#options = options;
    this.#offset = options.from ?? 0;
    this.#maxBytes = Math.min(options.maxBytes ?? LIMITS.chunkBytes, LIMITS.chunkBytes);
  }

  /** Where the next chunk will begin, once the reads that were asked for are done. */
  get offset(): number {
    return this.#offset;
  }

  /** The next chunk, or undefined when there is no output there yet. A failed read leaves the offset where it was. */
  async next(): Promise<Chunk | undefined> {
    const cut = this.#reads.then(() => this.#cut());
    // The caller hears of a failure from `cut`; the reads behind it are tried on their own.
    this.#reads = cut.catch(() => undefined);
    const piece = await cut;
    return piece && pack(piece.offset, piece.bytes, piece.atMs);
  }

  /** The chunks after this begin at `offset`. What was asked for before is still answered: drop what is not wanted any more. */
  async rewind(offset: number): Promise<void> {
    const moved = this.#reads.then(() => {
      this.#offset = offset;
    });
    this.#reads = moved;
    await moved;
  }

  async #cut(): Promise<{ offset: number; bytes: Uint8Array; atMs: number } | undefined> {
    const offset = this.#offset;
    const pieces: Uint8Array[] = [];
    let length = 0;
    while (length < this.#maxBytes) {
      const piece = await this.#options.read(offset + length, this.#maxBytes - length);
      if (piece.byteLength === 0) break;
      pieces.push(piece);
      length += piece.byteLength;
    }
    const [first] = pieces;
    if (!first) return undefined;
    this.#offset = offset + length;
    const bytes = pieces.length === 1 ? first : Buffer.concat(pieces, length);
    return { offset, bytes, atMs: this.#options.clock.now() };
  }
}

async function pack(offset: number, bytes: Uint8Array, atMs: number): Promise<Chunk> {
  const head = { offset, length: bytes.byteLength, atMs, lines: countNewlines(bytes) };
  if (bytes.byteLength >= LIMITS.rawChunkBytes) {
    const packed = await compress(bytes, { level: 1 });
    if (packed.byteLength < bytes.byteLength) return { ...head, codec: 'gzip', body: packed };
  }
  return { ...head, codec: 'raw', body: bytes };
}

const NEWLINE = 0x0a;

function countNewlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
