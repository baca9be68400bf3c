import { constants } from 'node:fs';
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserMistake, errorCode, errorText } from '../../base/errors.ts';
import { NAME_RULE, isName } from '../../model/names.ts';
import { MAX_KEYS } from '../../model/principal.ts';
import type { PublicKey, Role } from '../../model/principal.ts';
import { parsePublicKeys } from '../../transport/keys.ts';

/** The folder of each role. */
export const ROLE_FOLDERS: Readonly<Record<Role, string>> = {
  worker: 'workers',
  reader: 'readers',
  developer: 'developers',
  operator: 'operators',
};

/** A file `NAME.pub`. `keys` is absent when they could not be read just now, which changes nothing. */
export interface KeyFile {
  readonly name: string;
  readonly role: Role;
  readonly path: string;
  readonly keys?: readonly PublicKey[];
}

export interface KeyFolders {
  readonly files: readonly KeyFile[];
  /** Roles whose folder could not be listed just now: nobody of these is removed. */
  readonly unlisted: ReadonlySet<Role>;
  /** A line for each path that is not as it should be. */
  readonly faults: ReadonlyMap<string, string>;
}

const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 64 * 1024;
const FILES_AT_ONCE = 16;
const SUFFIX = '.pub';
/** Says nothing of the file: the machine is short of something. Whoever was let in by it stays. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'EIO', 'ENOMEM', 'EAGAIN', 'ESTALE', 'EINTR']);

/**
 * Reads all key folders. It never hangs and never reads much: only regular files of bounded size, opened without waiting (a FIFO
 * would wait for a writer) and without following a link that leaves its folder. A file that is not what it should be lets nobody
 * in, and a line says why.
 */
export async function readKeyFolders(keysDir: string): Promise<KeyFolders> {
  const files: KeyFile[] = [];
  const unlisted = new Set<Role>();
  const faults = new Map<string, string>();
  for (const role of Object.keys(ROLE_FOLDERS) as Role[]) {
    const folder = join(keysDir, ROLE_FOLDERS[role]);
    const entries = await listFolder(folder, faults);
    if (!entries) {
      unlisted.add(role);
      continue;
    }
    for (let from = 0; from < entries.length; from += FILES_AT_ONCE) {
      const some = entries.slice(from, from + FILES_AT_ONCE);
      const read = await Promise.all(some.map((entry) => readEntry(folder, entry, role, faults)));
      for (const file of read) if (file) files.push(file);
    }
  }
  return { files, unlisted, faults };
}

/** Undefined when it cannot be told now what is there. A folder that was removed has no keys. */
async function listFolder(folder: string, faults: Map<string, string>): Promise<readonly string[] | undefined> {
  try {
    // Hidden files are editors' and version control's.
    const entries = (await readdir(folder)).filter((entry) => !entry.startsWith('.')).sort();
    if (entries.length > MAX_FILES) {
      faults.set(folder, `${folder} has ${entries.length} files; only the first ${MAX_FILES} are read`);
    }
    return entries.slice(0, MAX_FILES);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      faults.set(folder, `${folder} is gone, and with it all who were let in by its keys; make it again`);
      return [];
    }
    faults.set(folder, `${folder} cannot be listed, so its keys stay as they are: ${errorText(error)}`);
    return undefined;
  }
}

async function readEntry(
  folder: string,
  entry: string,
  role: Role,
  faults: Map<string, string>,
): Promise<KeyFile | undefined> {
  const path = join(folder, entry);
  const name = entry.endsWith(SUFFIX) ? entry.slice(0, -SUFFIX.length) : '';
  if (!isName(name)) {
    faults.set(path, `${printable(path)} is ignored: a key file is called NAME.pub, NAME being ${NAME_RULE}`);
    return undefined;
  }
  try {
    return { name, role, path, keys: await readKeys(folder, path) };
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' && !(await isThere(path))) return undefined;
    if (code !== undefined && PASSING.has(code)) {
      faults.set(path, `${path} cannot be read now, so its keys stay as they are: ${errorText(error)}`);
      return { name, role, path };
    }
    faults.set(path, `${error instanceof UserMistake ? error.message : unreadable(path, error)}; it lets nobody in`);
    return { name, role, path, keys: [] };
  }
}

async function readKeys(folder: string, path: string): Promise<readonly PublicKey[]> {
  const real = await realpath(path);
  if (dirname(real) !== (await realpath(folder))) {
    throw new UserMistake(`${path} is a link that leaves its folder; put the key itself there`);
  }
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new UserMistake(`${path} is no regular file`);
    if (stat.size > MAX_FILE_BYTES) {
      throw new UserMistake(`${path} has ${stat.size} bytes, which is too long for a file of public keys`);
    }
    const keys = parsePublicKeys(await readText(file), path);
    if (keys.length > MAX_KEYS) throw new UserMistake(`${path} has ${keys.length} keys; at most ${MAX_KEYS} are taken`);
    return keys;
  } finally {
    await file.close();
  }
}

/** At most the limit, however fast the file grows. */
async function readText(file: FileHandle): Promise<string> {
  const buffer = Buffer.alloc(MAX_FILE_BYTES);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.toString('utf8', 0, length);
}

/** A link to nothing is there; a file removed since the folder was listed is not. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function unreadable(path: string, error: unknown): string {
  return errorCode(error) === 'ENOENT'
    ? `${path} is a link to what is not there`
    : `${path} cannot be read: ${errorText(error)}`;
}

function printable(path: string): string {
  return path.replace(/[^\x20-\x7e]/g, '?').slice(0, 300);
}
