import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UserMistake, errorCode, errorText } from '../base/errors.ts';
import { parseSize, showSize } from '../base/size.ts';
import { shellWord } from '../base/shell-word.ts';
import { MiB } from '../protocol/limits.ts';
import { list, mapOf, matching, object, optional, text } from '../protocol/schema.ts';
import type { Checked } from '../protocol/schema.ts';
import type { CacheLimits, WorkLimits } from './eviction/work-limits.ts';
import { KEEPER_LIMITS } from './keeper/keeper-limits.ts';
import type { KeeperLimits } from './keeper/keeper-limits.ts';
import { JUMP_KEY, checkWay, jumpHostEntry } from './jump-hosts.ts';
import type { WayEntries } from './jump-hosts.ts';
import { FINGERPRINT, parseMasterAddress } from './master-address.ts';
import type { MasterAddress } from './master-address.ts';

/** With less than some reads of the pipe a command would stand still more than it runs. */
const LEAST_SPOOL_BYTES = 1 * MiB;
const SEGMENTS = 8;

/** How this program's verbs of workers are typed, where it is not the single file. */
export const CALLED = 'trunkline worker';

/** What `worker.json` holds. */
const workerFile = object({
  name: matching(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 64),
  installId: matching(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 64),
  /** Tried in this order. */
  masters: list(text(300), 16),
  /** The current host key's fingerprint, and the next one's while it is changed. */
  hostKeys: list(matching(FINGERPRINT, 64), 8),
  /** The jump hosts on the way to every master, in order. */
  jump: optional(list(jumpHostEntry, 8)),
  /** A command whose stdin and stdout are the first connection of that way. */
  proxyCommand: optional(text(4_096)),
  /** Added to the environment of every command. */
  env: optional(mapOf(text(100_000), 1_000)),
  /** How much room the folders of builds may take: sizes like `10GiB`. */
  work: optional(object({ keepFree: optional(text(20)), inAll: optional(text(20)) })),
  /** How much room the caches may take that builds keep for the next ones: a size; `0B`: there are none. */
  cache: optional(object({ inAll: optional(text(20)) })),
  /** What the disk lends to output that the master has not stored yet: sizes like `512MiB`. */
  spool: optional(object({ perCommand: optional(text(20)), inAll: optional(text(20)), keepFree: optional(text(20)) })),
});
export type WorkerFile = Checked<typeof workerFile>;

/** A worker's folder: what it holds where, and what its `worker.json` says. */
export interface WorkerDir {
  readonly path: string;
  readonly name: string;
  readonly installId: string;
  readonly masters: readonly MasterAddress[];
  readonly hostKeys: readonly string[];
  readonly way: WayEntries;
  readonly env: Readonly<Record<string, string>>;
  readonly spool: KeeperLimits;
  readonly work: WorkLimits;
  readonly cache: CacheLimits;
  readonly paths: WorkerPaths;
}

export interface WorkerPaths {
  readonly config: string;
  readonly key: string;
  readonly publicKey: string;
  /** For the jump hosts, when it comes through some. */
  readonly jumpKey: string;
  readonly jumpPublicKey: string;
  /** While the key is changed: the one that takes its place. */
  readonly nextKey: string;
  /** The sessions' folders. */
  readonly work: string;
  /** What builds keep for the next ones. */
  readonly cache: string;
  /** The keeper's. */
  readonly spool: string;
  /** What the daemon has to know after it was killed. */
  readonly state: string;
  readonly controlSocket: string;
  /** Of an invited machine: the program, and the script that brought it. */
  readonly program: string;
  readonly joinScript: string;
}

export function workerPaths(dir: string): WorkerPaths {
  return {
    config: join(dir, 'worker.json'),
    key: join(dir, 'key'),
    publicKey: join(dir, 'key.pub'),
    jumpKey: join(dir, JUMP_KEY),
    jumpPublicKey: join(dir, `${JUMP_KEY}.pub`),
    nextKey: join(dir, 'key.next'),
    work: join(dir, 'work'),
    cache: join(dir, 'cache'),
    spool: join(dir, 'spool'),
    state: join(dir, 'state'),
    controlSocket: join(dir, 'control.sock'),
    program: join(dir, 'worker.mjs'),
    joinScript: join(dir, 'join.sh'),
  };
}

/** `called`: as whoever asks types the program. */
export async function loadWorkerDir(dir: string, called = CALLED): Promise<WorkerDir> {
  const path = resolve(dir);
  const paths = workerPaths(path);
  const file = parseWorkerFile(await readWorkerFile(path, paths.config, called), paths.config);
  if (file.masters.length === 0) throw new UserMistake(`${paths.config} names no master`);
  if (file.hostKeys.length === 0) throw new UserMistake(`${paths.config} names no host key: no master can be trusted`);
  const way: WayEntries = {
    ...(file.jump && { jump: file.jump }),
    ...(file.proxyCommand !== undefined && { proxyCommand: file.proxyCommand }),
  };
  checkWay(way, paths.config);
  const spool = spoolLimits(file.spool ?? {}, paths.config);
  return {
    path,
    name: file.name,
    installId: file.installId,
    masters: file.masters.map((master) => addressIn(master, paths.config)),
    hostKeys: file.hostKeys,
    way,
    env: file.env ?? {},
    spool,
    work: workLimits(file.work ?? {}, spool, paths.config),
    cache: cacheLimits(file.cache ?? {}, paths.config),
    paths,
  };
}

function addressIn(master: string, where: string): MasterAddress {
  try {
    return parseMasterAddress(master);
  } catch (error) {
    throw new UserMistake(`${where} cannot be used: masters: ${errorText(error)}`, { cause: error });
  }
}

async function readWorkerFile(dir: string, file: string, called: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      throw new UserMistake(`${dir} is no worker's folder: make one with "${called} init ${shellWord(dir)} …"`, {
        cause: error,
      });
    }
    throw new UserMistake(`${file} cannot be read: ${errorText(error)}`, { cause: error });
  }
}

/** Throws a UserMistake that names the file, `where`. */
export function parseWorkerFile(content: string, where: string): WorkerFile {
  try {
    return workerFile(JSON.parse(content), '');
  } catch (error) {
    throw new UserMistake(`${where} cannot be used: ${errorText(error)}`, { cause: error });
  }
}

/** The size that the file gives under a name, if it gives one. */
function sizeOf(text: string | undefined, name: string, least: number, where: string): number | undefined {
  if (text === undefined) return undefined;
  let bytes: number;
  try {
    bytes = parseSize(text);
  } catch (error) {
    throw new UserMistake(`${where} cannot be used: ${name}: ${errorText(error)}`, { cause: error });
  }
  if (bytes >= least) return bytes;
  throw new UserMistake(`${where} cannot be used: ${name} is ${text}, give it ${showSize(least)} at least`);
}

/** What the spool needs to stay free is to stay free in any case. */
function workLimits(given: NonNullable<WorkerFile['work']>, spool: KeeperLimits, where: string): WorkLimits {
  const keepFreeBytes = sizeOf(given.keepFree, 'work.keepFree', 0, where) ?? spool.freeBytes;
  const inAllBytes = sizeOf(given.inAll, 'work.inAll', 0, where);
  return { keepFreeBytes, ...(inAllBytes !== undefined && { inAllBytes }) };
}

function cacheLimits(given: NonNullable<WorkerFile['cache']>, where: string): CacheLimits {
  const inAllBytes = sizeOf(given.inAll, 'cache.inAll', 0, where);
  return inAllBytes === undefined ? {} : { inAllBytes };
}

function spoolLimits(given: NonNullable<WorkerFile['spool']>, where: string): KeeperLimits {
  const size = (name: keyof typeof given, least: number, otherwise: number): number =>
    sizeOf(given[name], `spool.${name}`, least, where) ?? otherwise;
  const usual = KEEPER_LIMITS;
  const commandBytes = size('perCommand', LEAST_SPOOL_BYTES, usual.commandBytes);
  return {
    ...usual,
    // A command's spool is some segments: one that is not full yet can not be deleted.
    segmentBytes: Math.min(usual.segmentBytes, Math.floor(commandBytes / SEGMENTS)),
    commandBytes,
    workerBytes: size('inAll', commandBytes, usual.workerBytes),
    freeBytes: size('keepFree', 0, usual.freeBytes),
  };
}
