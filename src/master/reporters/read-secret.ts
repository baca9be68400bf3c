import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UserMistake, errorCode, errorText } from '../../base/errors.ts';
import { refuseOpen } from '../master-dir.ts';

const LONGEST_BYTES = 4_096;

/**
 * The one line of a file with a secret, read when it is needed: it is in no bundle, log or message. `what` says what the file is
 * for. Rejects with a `UserMistake` when there is none, or others on the machine may read it.
 */
export async function readSecret(what: string, dir: string, file: string): Promise<string> {
  const path = resolve(dir, file);
  const text = (await readSecretFile(what, path, LONGEST_BYTES)).toString('utf8').replace(/\r?\n$/, '');
  if (text === '') throw new UserMistake(`${what} ${path} is empty: put the secret there, on one line`);
  return text;
}

/** All of a file with a secret; rejects as `readSecret`. */
export async function readSecretFile(what: string, path: string, longestBytes: number): Promise<Buffer> {
  try {
    const handle = await open(path, 'r');
    try {
      // The mode of what is read, whatever the path leads to a moment later.
      const { mode, size } = await handle.stat();
      refuseOpen(what, path, mode);
      if (size > longestBytes) throw new UserMistake(`${what} ${path} is longer than ${longestBytes} bytes`);
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof UserMistake) throw error;
    const why = errorCode(error) === 'ENOENT' ? 'is missing: put it there, mode 600' : errorText(error);
    throw new UserMistake(`${what} ${path} ${why}`, { cause: error });
  }
}
