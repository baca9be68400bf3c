import { createHash } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { UserMistake, errorCode } from '../base/errors.ts';

/** A socket's path has room for 107 bytes on Linux and 103 on macOS; a longer one would be cut without a word. */
const LONGEST_BYTES = 100;

/** Where the socket for `wanted` really is: there, or under a short name in a folder of this user's own. */
export async function socketPath(wanted: string): Promise<string> {
  if (Buffer.byteLength(wanted) <= LONGEST_BYTES) return wanted;
  const { uid } = userInfo();
  const folder = join(tmpdir(), `trunkline-${uid}`);
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw error;
  });
  const found = await lstat(folder);
  if (!found.isDirectory() || (uid >= 0 && found.uid !== uid) || (found.mode & 0o077) !== 0) {
    throw new UserMistake(`${folder} has to be a folder that only you can open: remove it, or use a shorter path`);
  }
  return join(folder, `${createHash('sha256').update(wanted).digest('hex').slice(0, 16)}.sock`);
}
