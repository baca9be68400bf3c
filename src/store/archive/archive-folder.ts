import { mkdir, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../../base/atomic-file.ts';
import { errorCode, errorText } from '../../base/errors.ts';
import { StoreError } from '../store.ts';

/** So many logs share a folder, for file systems and people that dislike large ones. */
const LOGS_PER_FOLDER = 1_000;

/** One `….log.gz` a log: gzip members one after the other, so the file as a whole is what a reader sees. */
export class ArchiveFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Writes after the first `length` bytes and makes it durable. What lies beyond them is the rest of an append that was never
   * committed, and is cut off. A file shorter than `length` has lost bytes the database counts on: nothing is written.
   */
  async append(logId: number, length: number, bodies: readonly Uint8Array[]): Promise<void> {
    const path = this.path(logId);
    try {
      const file = await this.#openToWrite(path, length === 0);
      try {
        const { size } = await file.stat();
        if (size < length) throw lacks(path, length, size);
        if (size > length) await file.truncate(length);
        await appendAll(file, bodies, length);
      } finally {
        await file.close();
      }
      if (length === 0) await syncFolder(dirname(path));
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new StoreError('disk', `cannot write the log file ${path}: ${errorText(error)}`, { cause: error });
    }
  }

  /** To read from; the caller closes it. */
  async open(logId: number): Promise<FileHandle> {
    const path = this.path(logId);
    try {
      return await open(path, 'r');
    } catch (error) {
      const lost = errorCode(error) === 'ENOENT';
      const text = lost ? `the log file ${path} is gone: restore it` : `cannot read ${path}: ${errorText(error)}`;
      throw new StoreError(lost ? 'damaged' : 'disk', text, { cause: error });
    }
  }

  /** Removes the file of a log, if there is one. */
  async remove(logId: number): Promise<void> {
    await rm(this.path(logId), { force: true });
  }

  /** The bytes of one member. */
  async read(file: FileHandle, logId: number, offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw lacks(this.path(logId), offset + length, offset + done);
      done += bytesRead;
    }
    return bytes;
  }

  path(logId: number): string {
    return join(this.#path, String(Math.floor(logId / LOGS_PER_FOLDER)), `${logId}.log.gz`);
  }

  async #openToWrite(path: string, mayBeNew: boolean): Promise<FileHandle> {
    try {
      return await open(path, 'r+');
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || !mayBeNew) throw error;
    }
    const folder = dirname(path);
    if ((await mkdir(folder, { recursive: true, mode: 0o750 })) !== undefined) await syncFolder(dirname(folder));
    return open(path, 'w+', 0o640);
  }
}

/** All, durably, or nothing: on a full disk half a piece would take the room that the database needs. */
async function appendAll(file: FileHandle, bodies: readonly Uint8Array[], length: number): Promise<void> {
  try {
    let at = length;
    for (const body of bodies) at = await writeAll(file, body, at);
    await file.datasync();
  } catch (error) {
    await file.truncate(length).catch(() => undefined); // The first error says more.
    throw error;
  }
}

async function writeAll(file: FileHandle, body: Uint8Array, at: number): Promise<number> {
  for (let done = 0; done < body.byteLength;) {
    const { bytesWritten } = await file.write(body, done, body.byteLength - done, at + done);
    done += bytesWritten;
  }
  return at + body.byteLength;
}

function lacks(path: string, wanted: number, size: number): StoreError {
  return new StoreError('damaged', `the log file ${path} has ${size} bytes where ${wanted} were stored: restore it`);
}
