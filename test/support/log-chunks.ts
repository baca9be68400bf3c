import { gzipSync } from 'node:zlib';
import type { LogChunk } from '../../src/model/log.ts';
import type { Store } from '../../src/store/store.ts';

/** What a worker would send of these bytes. */
export function chunkOf(bytes: Uint8Array, offset: number, codec: 'raw' | 'gzip'): LogChunk {
  const lines = bytes.filter((byte) => byte === 10).length;
  const body = codec === 'gzip' ? gzipSync(bytes) : bytes;
  return { offset, length: bytes.byteLength, atMs: 1, lines, codec, body };
}

export function hole(offset: number, length: number): LogChunk {
  return { offset, length, atMs: 1, lines: 0, codec: 'hole', body: new Uint8Array() };
}

export async function readAll(store: Store, logId: number, from = 0, to = Number.MAX_SAFE_INTEGER): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.logs.read(logId, from, to)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Bytes that do not compress and are the same each time. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
