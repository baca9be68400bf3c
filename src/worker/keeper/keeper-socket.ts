import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '../../base/errors.ts';
import { KEEPER_VERSION } from './order-line.ts';

/** The system's limit is 104 (macOS) or 108 bytes, with its end. */
const LONGEST_PATH_BYTES = 100;
const NAME = /^keeper-(\d+)-[0-9a-z]+\.sock$/;
const LONGEST_NAME = 'keeper-00-000000000000.sock';

/** Where the sockets of a spool's keepers lie: in the spool, or if its path is too long in a folder of our own in /tmp. */
export function socketFolder(spoolDir: string): string {
  if (Buffer.byteLength(join(spoolDir, LONGEST_NAME)) <= LONGEST_PATH_BYTES) return spoolDir;
  const { uid } = userInfo();
  const key = createHash('sha256').update(spoolDir).digest('hex').slice(0, 12);
  const dir = join(tmpdir(), `trunkline-${uid}-${key}`);
  try {
    mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  const { uid: owner } = lstatSync(dir);
  if (uid >= 0 && owner !== uid) throw new Error(`${dir} belongs to another user (${owner}): remove it`);
  chmodSync(dir, 0o700);
  return dir;
}

export function newSocketPath(dir: string, token: string): string {
  return join(dir, `keeper-${KEEPER_VERSION}-${token}.sock`);
}

/** The sockets that are there, of any version, also dead ones. */
export function listSockets(dir: string): { readonly path: string; readonly version: number }[] {
  return readdirSync(dir).flatMap((name) => {
    const version = NAME.exec(name)?.[1];
    return version === undefined ? [] : [{ path: join(dir, name), version: Number(version) }];
  });
}
