import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UserMistake, errorCode, errorText } from '../base/errors.ts';
import { parsePublicKeys } from '../transport/keys.ts';

const USUAL = ['id_ed25519.pub', 'id_ecdsa.pub', 'id_rsa.pub'];

/** The public key line of the first operator: from the file given, or the usual ones of this user. */
export async function findOperatorKey(file: string | undefined): Promise<string> {
  if (file !== undefined) return check(file, await read(file));
  for (const name of USUAL) {
    const path = join(homedir(), '.ssh', name);
    const text = await read(path).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (text !== undefined) return check(path, text);
  }
  throw new UserMistake(
    `there is no public key in ${join(homedir(), '.ssh')}: make one with ssh-keygen -t ed25519, or give one with --operator-key FILE`,
  );
}

function check(file: string, text: string): string {
  try {
    parsePublicKeys(text);
  } catch (error) {
    throw new UserMistake(`${file} holds no public key: ${errorText(error)}`, { cause: error });
  }
  return text;
}

async function read(file: string): Promise<string> {
  return await readFile(file, 'utf8');
}
