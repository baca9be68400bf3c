import { Buffer } from 'node:buffer';
import { gunzip, gzip } from 'node:zlib';
import { StoreError } from '../store.ts';

/** The most that one chunk, and one member of the archive, holds inflated. */
export const MEMBER_BYTES = 256 * 1024;
/** The most that a cut says. */
export const CUT_TEXT_BYTES = 1024;

/**
 * Inflates one body on libuv's threads. It must come to exactly `length` bytes and have nothing after its end: what is more is
 * not inflated at all, so a small body that would swell to gigabytes costs no more than an honest one.
 */
export function inflate(body: Uint8Array, length: number): Promise<Buffer> {
  // One output buffer with room to spare: the work is done in one visit to the other thread instead of sixteen.
  const options = { maxOutputLength: length, chunkSize: Math.max(1024, length + 64), info: true };
  return new Promise((resolve, reject) => {
    gunzip(body, options, (error, result) => {
      if (error)
        return reject(new StoreError('bad-chunk', `a gzip body does not inflate: ${error.message}`, { cause: error }));
      const { buffer, engine } = result as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
      if (buffer.byteLength !== length) {
        return reject(new StoreError('bad-chunk', `a gzip body holds ${buffer.byteLength} bytes instead of ${length}`));
      }
      if (engine.bytesWritten !== body.byteLength) {
        return reject(new StoreError('bad-chunk', 'a gzip body has something after its end'));
      }
      resolve(buffer);
    });
  });
}

/** Inflates the text of a cut, whose length is not told. */
export function inflateCut(body: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gunzip(body, { maxOutputLength: CUT_TEXT_BYTES }, (error, text) => (error ? reject(error) : resolve(text)));
  });
}

export function deflate(bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gzip(bytes, (error, member) => (error ? reject(error) : resolve(member)));
  });
}

export function countLines(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let lines = 0;
  for (let at = buffer.indexOf(10); at >= 0; at = buffer.indexOf(10, at + 1)) lines++;
  return lines;
}
