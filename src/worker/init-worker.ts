import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { UserMistake, errorCode } from '../base/errors.ts';
import { ulid } from '../base/ulid.ts';
import { makeKeyPair } from '../transport/keys.ts';
import { readHostKey } from '../transport/ssh-client.ts';
import { SshConnectError } from '../transport/ssh-connect-error.ts';
import { parseMasterAddress } from './master-address.ts';
import { FINGERPRINT, workerPaths } from './worker-dir.ts';
import type { WorkerFile } from './worker-dir.ts';

export interface InitWorkerOptions {
  readonly dir: string;
  readonly name: string;
  /** `HOST[:PORT]`, tried in this order. */
  readonly masters: readonly string[];
  /** Fingerprints of the host keys to trust. Without one the first master is asked for its key, and `confirm` about it. */
  readonly hostKeys?: readonly string[];
  readonly confirm?: (fingerprint: string) => Promise<boolean>;
}

/**
 * Makes a worker's folder: its key, its identity, whom it trusts. `worker.json` is written last: a folder without it is none
 * yet, and may be made again.
 */
export async function initWorker(options: InitWorkerOptions): Promise<{ readonly publicKeyLine: string }> {
  const dir = resolve(options.dir);
  const paths = workerPaths(dir);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(options.name)) {
    throw new UserMistake(
      `"${options.name}" is no name for a worker: use letters, digits, ".", "_" and "-", at most 64, the first a letter or digit`,
      { exitStatus: 64 },
    );
  }
  const masters = options.masters.map((master) => master.trim()).filter((master) => master !== '');
  if (masters.length === 0) throw new UserMistake('name at least one master: HOST[:PORT]', { exitStatus: 64 });
  for (const master of masters) parseMasterAddress(master);
  await refuseExisting(dir, Object.values(paths));
  const hostKeys = await trusted(masters[0] ?? '', options);

  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const folder of [paths.work, paths.spool, paths.state]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const key = makeKeyPair(options.name);
  await writeFileAtomic(paths.key, key.privateKey, 0o600);
  await writeFileAtomic(paths.publicKey, `${key.publicKeyLine}\n`);
  const content: WorkerFile = { name: options.name, installId: ulid(), masters, hostKeys };
  await writeOnce(paths.config, `${JSON.stringify(content, undefined, 2)}\n`, dir);
  return { publicKeyLine: key.publicKeyLine };
}

async function refuseExisting(dir: string, ours: readonly string[]): Promise<void> {
  const names = await readdir(dir).catch((error: unknown): string[] => {
    if (errorCode(error) === 'ENOENT') return [];
    throw new UserMistake(
      `${dir} cannot be used as a worker's folder (${errorCode(error)}): name a folder of its own`,
      {
        cause: error,
      },
    );
  });
  if (names.includes('worker.json')) throw existing(dir);
  const known = new Set(ours.map((path) => basename(path)));
  const foreign = names.find((name) => !known.has(name.replace(/\.[0-9a-f]+\.tmp$/, '')));
  if (foreign !== undefined) {
    throw new UserMistake(`${dir} is not empty (it holds ${foreign}): name a new folder for the worker`);
  }
}

function existing(dir: string): UserMistake {
  return new UserMistake(`${dir} holds a worker already: start it, or name another folder`);
}

async function writeOnce(path: string, content: string, dir: string): Promise<void> {
  // Whoever makes the file is the one that made the folder; the text itself is then put in place atomically.
  try {
    await writeFile(path, '', { flag: 'wx' });
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw existing(dir);
    throw error;
  }
  await writeFileAtomic(path, content);
}

async function trusted(master: string, options: InitWorkerOptions): Promise<readonly string[]> {
  const given = options.hostKeys ?? [];
  for (const fingerprint of given) {
    if (!FINGERPRINT.test(fingerprint)) {
      throw new UserMistake(
        `"${fingerprint}" is no fingerprint of a host key: it looks like SHA256:… and "master init" prints it`,
        { exitStatus: 64 },
      );
    }
  }
  if (given.length > 0) return given;
  const shown = await askHostKey(master);
  if (!options.confirm) {
    throw new UserMistake(`the master shows host key ${shown}: compare it, then give it with --host-key ${shown}`);
  }
  if (!(await options.confirm(shown))) {
    throw new UserMistake(`the host key ${shown} of ${master} was not accepted: nothing was made`);
  }
  return [shown];
}

async function askHostKey(master: string): Promise<string> {
  try {
    return (await readHostKey(parseMasterAddress(master))).fingerprint;
  } catch (error) {
    if (!(error instanceof SshConnectError)) throw error;
    throw new UserMistake(
      `${error.message}: start the master, or give its fingerprint with --host-key ("master init" printed it)`,
      { cause: error },
    );
  }
}
