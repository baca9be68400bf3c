import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Disposer } from '../base/disposer.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { ulid } from '../base/ulid.ts';
import type { Fields } from '../protocol/messages.ts';
import { PROTOCOLS } from '../protocol/version.ts';
import type { Carrier } from '../transport/carrier.ts';
import type { SshPrivateKey } from '../transport/keys.ts';
import { commandEnvironment } from './command-environment.ts';
import { Commands } from './commands/commands.ts';
import { Leavers } from './commands/leavers.ts';
import { DiskWatch } from './disk-watch.ts';
import { Caches } from './eviction/caches.ts';
import { Evictor } from './eviction/evictor.ts';
import { FileRecords } from './files/file-record.ts';
import { SecretFiles } from './files/secret-files.ts';
import type { KeeperLimits } from './keeper/keeper-limits.ts';
import { MadeLists } from './files/made-list.ts';
import { openKeeper } from './keeper/open-keeper.ts';
import { KeyedQueue } from './link/keyed-queue.ts';
import type { WorkerParts } from './link/worker-parts.ts';
import { ChunkBudget } from './logs/chunk-budget.ts';
import { machineFacts } from './machine-facts.ts';
import { readBootId } from './machine-identity.ts';
import { SessionBook } from './session-book.ts';
import type { WorkerDir } from './worker-dir.ts';

const MAX_LINE = 200;

export interface WorkerOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The program and its words before a verb, as a person types them, where it is not `trunkline worker`. */
  readonly called?: string;
  /** Of the program, for the hello. */
  readonly version?: string;
  /** How to reach a master and log in with a key; by SSH as `worker.json` says if not given. */
  readonly connect?: (key: SshPrivateKey) => Promise<Carrier>;
  /** What Node is given to become a keeper, when that is not the keeper-main.js beside this file. */
  readonly keeperProgram?: readonly string[];
  /** Where they are to differ. */
  readonly keeperLimits?: Partial<KeeperLimits>;
  /** A start waits so long for what was forgotten where it is to run. */
  readonly leaversWaitMs?: number;
  /** It leaves after one build. */
  readonly isOnce?: boolean;
  /** It leaves when nothing was run for so long. */
  readonly idleExitMs?: number;
}

/** What outlives links, from the folder's state; `onGone` is called when the folder is taken away. */
export async function openParts(
  dir: WorkerDir,
  options: WorkerOptions,
  undo: Disposer,
  onGone: () => void,
): Promise<WorkerParts> {
  const { clock, logger } = options;
  const { paths } = dir;
  const recordDir = join(paths.state, 'files');
  for (const folder of [paths.work, paths.spool, recordDir]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const sessions = await SessionBook.open(paths.state);
  undo.add(() => sessions.close());
  const secretFiles = await SecretFiles.open(paths.state, paths.work, logger);
  const records = await FileRecords.open(recordDir, logger);
  const lists = await MadeLists.open(join(paths.state, 'lists'), (command) => records.get(command) !== undefined);
  const waitMs = options.leaversWaitMs === undefined ? {} : { waitMs: options.leaversWaitMs };
  const program = options.keeperProgram === undefined ? {} : { program: options.keeperProgram };
  const limits = { ...dir.spool, ...options.keeperLimits };
  const keeper = await openKeeper({ spoolDir: paths.spool, clock, logger, onGone, limits, ...program });
  undo.add(() => keeper.close());
  const disk = new DiskWatch(logger, paths.spool, limits.freeBytes);
  undo.add(keeper.onHeldBack((held) => disk.see(held)));
  const orders = new KeyedQueue((key, error) => logger.error(`an order failed: ${errorText(error)}`, { order: key }));
  const cache = await cacheEnvironment(dir);
  const environment = (step: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> =>
    commandEnvironment(process.env, { ...cache, ...dir.env }, step);
  const commands = new Commands({ keeper, records, lists, sessions, workDir: paths.work, clock, environment });
  const leavers = new Leavers({ commands, keeper, clock, ...waitMs });
  const budget = new ChunkBudget();
  const evictor = new Evictor({
    sessions,
    commands,
    orders,
    workDir: paths.work,
    limits: dir.work,
    cacheDir: paths.cache,
    cacheLimits: dir.cache,
    clock,
    logger,
  });
  undo.add(() => evictor.close());
  evictor.start();
  return {
    sessions,
    commands,
    secretFiles,
    leavers,
    keeper,
    evictor,
    budget,
    orders,
    workDir: paths.work,
    clock,
    logger,
  };
}

/** How commands find the folder of caches, unless the worker is to have none. */
async function cacheEnvironment({ paths, cache }: WorkerDir): Promise<Readonly<Record<string, string>>> {
  if (cache.inAllBytes === 0) return {};
  await Caches.prepare(paths.cache);
  return { TRUNKLINE_CACHE: paths.cache };
}

/** What the hello says of this start of the daemon. */
export async function readIdentity(dir: WorkerDir, { clock, version }: WorkerOptions): Promise<Fields<'hello'>> {
  // Tells a copied folder from its original: the end of the path, should it be too long.
  const facts: Readonly<Record<string, string>> = {
    ...(await machineFacts(dir.paths.work)),
    folder: dir.path.slice(-MAX_LINE),
  };
  return {
    protocols: [...PROTOCOLS],
    implementation: 'trunkline',
    version: (version ?? 'unknown').slice(0, MAX_LINE),
    worker: dir.name,
    installId: dir.installId,
    bootId: readBootId(),
    processId: ulid(clock.now()),
    capabilities: ['files', 'files2', 'lease', 'rotate', 'mask'],
    host: (facts['hostname'] ?? 'unknown').slice(0, MAX_LINE),
    facts,
  };
}
