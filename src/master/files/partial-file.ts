import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../../base/atomic-file.ts';
import { errorCode } from '../../base/errors.ts';

const SUFFIX = '.part';

function partialPath(folder: string, command: string): string {
  return join(folder, `${command}${SUFFIX}`);
}

/** Drops what is there of a file that nobody waits for. */
export async function removePartial(folder: string, command: string): Promise<void> {
  await rm(partialPath(folder, command), { force: true });
}

/** The commands of which a part of a file is there. */
export async function listPartials(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  return names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length));
}

/**
 * A file on its way here. Its length after `sync` is the offset that a later connection, or a later master, goes on from. A power
 * loss may leave a length whose bytes never came to the disk: the hash of the whole, taken before the rename, finds that.
 */
export class PartialFile {
  readonly #path: string;
  readonly #file: FileHandle;
  #length: number;

  private constructor(path: string, file: FileHandle, length: number) {
    this.#path = path;
    this.#file = file;
    this.#length = length;
  }

  static async open(folder: string, command: string, size: number): Promise<PartialFile> {
    const path = partialPath(folder, command);
    await mkdir(folder, { recursive: true });
    const file = await open(path, 'a+', 0o600);
    try {
      let { size: length } = await file.stat();
      if (length > size) {
        await file.truncate(0);
        length = 0;
      }
      return new PartialFile(path, file, length);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get length(): number {
    return this.#length;
  }

  async append(pieces: readonly Uint8Array[]): Promise<void> {
    let bytes = 0;
    for (const piece of pieces) bytes += piece.byteLength;
    await this.#file.appendFile(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces));
    this.#length += bytes;
  }

  async sync(): Promise<void> {
    await this.#file.datasync();
  }

  async sha256(): Promise<string> {
    const hash = createHash('sha256');
    for await (const piece of createReadStream(this.#path, { highWaterMark: 256 * 1024 })) hash.update(piece as Buffer);
    return hash.digest('hex');
  }

  /** Puts the whole file in its place, durably; the old one is there until then. */
  async moveTo(target: string): Promise<void> {
    await mkdir(dirname(target), { recursive: true });
    await this.#file.chmod(0o644);
    await this.#file.sync();
    try {
      await rename(this.#path, target);
    } catch (error) {
      if (errorCode(error) !== 'EXDEV') throw error;
      await this.#copyTo(target);
    }
    await syncFolder(dirname(target));
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** The target is on another file system. */
  async #copyTo(target: string): Promise<void> {
    const beside = `${target}${SUFFIX}`;
    await copyFile(this.#path, beside);
    const copy = await open(beside, 'r+');
    try {
      await copy.sync();
    } finally {
      await copy.close();
    }
    await rename(beside, target);
    await this.remove();
  }
}
