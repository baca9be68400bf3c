import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const READ_BYTES = 256 * 1024;

/** Where a file is gathered until it is whole: beside its place, so that it can be renamed there. */
export function partPath(target: string, command: string): string {
  const digest = createHash('sha256')
    .update(`${command} ${basename(target)}`)
    .digest('hex')
    .slice(0, 16);
  return join(dirname(target), `.trunkline-${digest}.part`);
}

export function openPart(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
}

/** The hash so far of a file's first `length` bytes; undefined when it is shorter. */
export async function hashOf(file: FileHandle, length: number): Promise<Hash | undefined> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(1, length)));
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - at), at);
    if (bytesRead === 0) return undefined;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash;
}
