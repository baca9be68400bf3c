import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { UserMistake, errorCode } from '../base/errors.ts';
import { ulid } from '../base/ulid.ts';
import { makeKeyPair } from '../transport/keys.ts';
import { askHostKey, checkFingerprint, makeWay } from './init-way.ts';
import type { InitWayOptions, MadeWay } from './init-way.ts';
import { JUMP_KEY } from './jump-hosts.ts';
import { parseMasterAddress } from './master-address.ts';
import { workerPaths } from './worker-dir.ts';
import type { WorkerFile } from './worker-dir.ts';

export interface InitWorkerOptions extends InitWayOptions {
  readonly dir: string;
  readonly name: string;
  /** `HOST[:PORT]`, tried in this order. */
  readonly masters: readonly string[];
  /** Fingerprints of the host keys to trust. Without one the first master is asked for its key, and `confirm` about it. */
  readonly hostKeys?: readonly string[];
}

export interface MadeWorker {
  /** For the master. */
  readonly publicKeyLine: string;
  /** For the jump hosts, when they need one that is new. */
  readonly jumpKeyLine?: string;
}

/**
 * Makes a worker's folder: its key, its identity, whom it trusts. `worker.json` is written last: a folder without it is none
 * yet, and may be made again.
 */
export async function initWorker(options: InitWorkerOptions): Promise<MadeWorker> {
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
  for (const hostKey of options.hostKeys ?? []) checkFingerprint(hostKey, '"master init" prints it');
  await refuseExisting(dir, Object.values(paths));
  const way = await makeWay(options);
  const hostKeys = await trusted(masters[0] ?? '', way, options);

  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const folder of [paths.work, paths.spool, paths.state]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const publicKeyLine = await makeKey(options.name, paths.key, paths.publicKey);
  const needsJumpKey = (way.entries.jump ?? []).some(({ key }) => key === JUMP_KEY);
  const jumpKeyLine = needsJumpKey ? await makeKey(options.name, paths.jumpKey, paths.jumpPublicKey) : undefined;
  const content: WorkerFile = { name: options.name, installId: ulid(), masters, hostKeys, ...way.entries };
  await writeOnce(paths.config, `${JSON.stringify(content, undefined, 2)}\n`, dir);
  return { publicKeyLine, ...(jumpKeyLine !== undefined && { jumpKeyLine }) };
}

/** The line of its public half. */
async function makeKey(name: string, privateFile: string, publicFile: string): Promise<string> {
  const key = makeKeyPair(name);
  await writeFileAtomic(privateFile, key.privateKey, 0o600);
  await writeFileAtomic(publicFile, `${key.publicKeyLine}\n`);
  return key.publicKeyLine;
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

async function trusted(master: string, way: MadeWay, options: InitWorkerOptions): Promise<readonly string[]> {
  const given = options.hostKeys ?? [];
  if (given.length > 0) return given;
  return [await askHostKey(parseMasterAddress(master), 'the master', '--host-key', way.open, options.confirm)];
}
