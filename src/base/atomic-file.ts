import { randomBytes } from 'node:crypto';
import { closeSync, fsync as fsyncCallback, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

const fsync = promisify(fsyncCallback);

/**
 * Writes a whole file so that a crash at any moment leaves the old content or the new, never a part:
 * temporary file in the same folder, fsync, rename, fsync of the folder.
 *
 * Only the two syncs wait for the disk. The rest goes to the page cache in microseconds, where a visit to another thread for
 * each call costs ten times that; for small files, that is: a large one would hold the event loop up.
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeNewFile(temporary, content, mode);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** A new file with durable content; its name is durable after `syncFolder`. */
export async function writeNewFile(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const file = openSync(path, 'wx', mode);
  try {
    writeFileSync(file, content);
    await fsync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes a rename, creation or removal inside a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = openSync(path, 'r');
  try {
    await fsync(folder);
  } finally {
    closeSync(folder);
  }
}
