import { mkdir } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import type { Cancel, Clock } from '../base/clock.ts';
import { serveControl } from '../base/control-socket.ts';
import type { ControlServer } from '../base/control-socket.ts';
import { deferred } from '../base/deferred.ts';
import { Disposer } from '../base/disposer.ts';
import { UserMistake, errorText } from '../base/errors.ts';
import { lockFolder } from '../base/folder-lock.ts';
import type { Logger } from '../base/logger.ts';
import { Signal } from '../base/signal.ts';
import { sleep } from '../base/sleep.ts';
import { ulid } from '../base/ulid.ts';
import type { Fields } from '../protocol/messages.ts';
import { PROTOCOLS } from '../protocol/version.ts';
import type { Carrier } from '../transport/carrier.ts';
import type { SshPrivateKey } from '../transport/keys.ts';
import type { Link, LinkEnd, Vitals } from '../transport/link.ts';
import type { Way } from '../transport/way.ts';
import { commandEnvironment } from './command-environment.ts';
import { Commands } from './commands/commands.ts';
import { Leavers } from './commands/leavers.ts';
import { FileRecords } from './files/file-record.ts';
import { DiskWatch } from './disk-watch.ts';
import type { KeeperLimits } from './keeper/keeper-limits.ts';
import { openKeeper } from './keeper/open-keeper.ts';
import { Attachment } from './link/attachment.ts';
import type { KeyExchange } from './keys/key-exchange.ts';
import { rotateKey } from './keys/rotate-key.ts';
import { TrustedHostKeys } from './keys/trusted-host-keys.ts';
import { WorkerKeys } from './keys/worker-keys.ts';
import { explain, isRevoked, needsPerson } from './link/connect.ts';
import { endAllCommands } from './link/end-all.ts';
import { KeyedQueue } from './link/keyed-queue.ts';
import { keepConnected } from './link/link-loop.ts';
import { LinkOpener } from './link/open-link.ts';
import type { OpenedLink } from './link/open-link.ts';
import type { WorkerParts } from './link/worker-parts.ts';
import { ChunkBudget } from './logs/chunk-budget.ts';
import { loadWay } from './jump-hosts.ts';
import { freeBytes, machineFacts } from './machine-facts.ts';
import { readBootId } from './machine-identity.ts';
import { SessionBook } from './session-book.ts';
import { loadWorkerDir } from './worker-dir.ts';
import type { WorkerDir } from './worker-dir.ts';

const MAX_LINE = 200;
/** A stop waits so long for orders that are being carried out, say the removal of a large folder. */
const ORDERS_MS = 5_000;

export interface WorkerOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly logger: Logger;
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
}

export interface WorkerState {
  readonly link: 'connecting' | 'connected' | 'waiting' | 'stopped';
  /** Of the master, while connected. */
  readonly peer?: string;
  /** Why it is not connected, while it waits to try again. */
  readonly why?: string;
}

/** A running worker daemon. */
export interface Worker {
  readonly name: string;
  state(): WorkerState;
  onState(listener: (state: WorkerState) => void): Cancel;
  /** Says goodbye and lets go of all; commands go on, and the next start finds them. */
  stop(): Promise<void>;
  /** Resolves when it was stopped, by `stop` or over its control socket; rejects when it had to, its folder being gone. */
  readonly closed: Promise<void>;
}

/**
 * Starts the daemon of a worker's folder. Resolves when it holds the folder and has found what it ran before; connecting goes
 * on from there. Rejects with a UserMistake when the folder is none, or is held by another daemon.
 */
export async function openWorker(options: WorkerOptions): Promise<Worker> {
  const { clock, logger } = options;
  const dir = await loadWorkerDir(options.dir);
  const way = await loadWay(dir.way, dir.path);
  const undo = new Disposer();
  try {
    // Undone last, so that the one who asked for the stop hears of it when the folder can be started again.
    const served: ControlServer[] = [];
    undo.add(async () => void (await Promise.all(served.map((control) => control.close()))));
    undo.add(
      await lockFolder({
        noun: 'worker',
        dir: dir.path,
        secretFile: dir.paths.key,
        controlSocket: dir.paths.controlSocket,
      }),
    );
    const keys = await WorkerKeys.open(dir, logger);
    undo.add(() => keys.close());
    const gone = deferred();
    const parts = await openParts(dir, options, undo, gone.resolve);
    const identity = await readIdentity(dir, options);
    const daemon = new Daemon({
      dir,
      parts,
      undo,
      hello: identity,
      clock,
      logger,
      keys,
      hostKeys: new TrustedHostKeys(dir),
      way,
      connect: options.connect,
    });
    const control = await serveControl({
      path: dir.paths.controlSocket,
      logger,
      answers: {
        status: () => ({ name: dir.name, pid: process.pid, ...daemon.state() }),
        rotate: () => daemon.rotate(),
      },
      stop: () => void daemon.stop(),
    });
    served.push(control);
    // Before the lock is let go: the file that goes with it must not be the next daemon's.
    undo.add(() => control.stopListening());
    daemon.start();
    void gone.promise.then(() => daemon.giveUp(`${dir.paths.spool} was taken away: what ran there is lost`));
    return daemon;
  } catch (error) {
    await undo.dispose();
    throw error;
  }
}

async function openParts(
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
  const records = await FileRecords.open(recordDir, logger);
  const waitMs = options.leaversWaitMs === undefined ? {} : { waitMs: options.leaversWaitMs };
  const program = options.keeperProgram === undefined ? {} : { program: options.keeperProgram };
  const limits = { ...dir.spool, ...options.keeperLimits };
  const keeper = await openKeeper({ spoolDir: paths.spool, clock, logger, onGone, limits, ...program });
  undo.add(() => keeper.close());
  const disk = new DiskWatch(logger, paths.spool, limits.freeBytes);
  undo.add(keeper.onHeldBack((held) => disk.see(held)));
  const orders = new KeyedQueue((key, error) => logger.error(`an order failed: ${errorText(error)}`, { order: key }));
  const environment = (step: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> =>
    commandEnvironment(process.env, dir.env, step);
  const commands = new Commands({ keeper, records, sessions, workDir: paths.work, clock, environment });
  const leavers = new Leavers({ commands, keeper, clock, ...waitMs });
  const budget = new ChunkBudget();
  return { sessions, commands, leavers, keeper, budget, orders, workDir: paths.work, clock, logger };
}

async function readIdentity(dir: WorkerDir, { clock, version }: WorkerOptions): Promise<Fields<'hello'>> {
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
    capabilities: ['files', 'lease', 'rotate'],
    host: (facts['hostname'] ?? 'unknown').slice(0, MAX_LINE),
    facts,
  };
}

interface DaemonOptions {
  readonly dir: WorkerDir;
  readonly parts: WorkerParts;
  readonly undo: Disposer;
  readonly hello: Fields<'hello'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly keys: WorkerKeys;
  readonly hostKeys: TrustedHostKeys;
  readonly way: Way;
  readonly connect: WorkerOptions['connect'];
}

/** States: connecting → connected → waiting → connecting …, until stopped. */
class Daemon implements Worker {
  readonly name: string;
  readonly #options: DaemonOptions;
  readonly #opener: LinkOpener;
  readonly #stopping = new AbortController();
  readonly #changed = new Signal<WorkerState>();
  readonly #closed = deferred();
  #state: WorkerState = { link: 'connecting' };
  #link: Link | undefined;
  #exchange: KeyExchange | undefined;
  #loop: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #freeBytes: number | undefined;
  #failure: UserMistake | undefined;

  constructor(options: DaemonOptions) {
    this.name = options.dir.name;
    this.#options = options;
    this.#opener = new LinkOpener({
      ...options,
      vitals: () => this.#vitals(),
      seen: (sentAt, pingMs) => options.parts.keeper.seen(sentAt, pingMs),
      signal: this.#stopping.signal,
    });
    options.undo.add(options.parts.keeper.onHeldBack(() => this.#link?.pingNow()));
    this.#closed.promise.catch(() => undefined); // Whoever waits for it hears of it.
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  state(): WorkerState {
    return this.#state;
  }

  onState(listener: (state: WorkerState) => void): Cancel {
    return this.#changed.on(listener);
  }

  start(): void {
    const { clock, logger, dir } = this.#options;
    this.#loop = keepConnected({
      open: (tell) => this.#open(tell),
      serve: (opened) => this.#serve(opened),
      needsPerson,
      explain: (error) => explain(error, dir),
      onWaiting: (_waitMs, why) => this.#become({ link: 'waiting', why }),
      clock,
      logger,
      signal: this.#stopping.signal,
    });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Stops for good, as one that is started again finds the truth: no folder, or a new one, whose commands are lost. */
  giveUp(message: string): Promise<void> {
    this.#failure ??= new UserMistake(message, { exitStatus: 1 });
    return this.stop();
  }

  rotate(): Promise<{ readonly fingerprint: string }> {
    return rotateKey(this.#options.keys, this.#exchange, this.#options.clock);
  }

  async #open(tell: (failure: unknown) => void): Promise<OpenedLink> {
    this.#become({ link: 'connecting' });
    this.#lookAtDisk();
    try {
      return await this.#opener.open(tell);
    } catch (error) {
      if (isRevoked(error)) await this.#endAll();
      throw error;
    }
  }

  async #serve({
    link,
    exchange,
    onOther,
    ended,
  }: OpenedLink): Promise<{ readonly end: LinkEnd; readonly wasGood: boolean }> {
    const attachment = new Attachment(this.#options.parts, link, onOther);
    this.#link = link;
    try {
      if (this.#stopping.signal.aborted) this.#goodbye();
      await attachment.start();
      this.#exchange = exchange;
      exchange.start();
      if (this.#options.parts.keeper.heldBack().byDisk > 0) link.pingNow();
      this.#options.logger.info(`connected to ${link.peer}`);
      this.#become({ link: 'connected', peer: link.peer });
      const end = await link.closed;
      if (isRevoked(end)) {
        // First: what is still to be started is not.
        await attachment.close();
        await this.#endAll();
      }
      ended(attachment.isAnswered, end.retryAfterMs);
      return { end: this.#opener.hasAhead ? { ...end, retryAfterMs: 0 } : end, wasGood: attachment.isAnswered };
    } finally {
      this.#link = undefined;
      this.#exchange = undefined;
      link.destroy('done with');
      await attachment.close();
    }
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    this.#goodbye();
    await this.#loop;
    this.#opener.close();
    const { parts, clock } = this.#options;
    await Promise.race([parts.orders.idle(), sleep(clock, ORDERS_MS)]);
    this.#become({ link: 'stopped' });
    try {
      await this.#options.undo.dispose();
    } catch (error) {
      this.#options.logger.warn(`not all could be put away: ${errorText(error)}`);
    }
    if (this.#failure) this.#closed.reject(this.#failure);
    else this.#closed.resolve();
  }

  async #endAll(): Promise<void> {
    const { parts, dir, logger } = this.#options;
    const count = await endAllCommands(parts);
    logger.warn(
      `the master has revoked this worker: ending ${count} commands; to let it in again: worker add ${dir.name}`,
    );
  }

  #goodbye(): void {
    this.#link?.close({ code: 'stopping', message: 'the worker stops; its commands go on', retryAfterMs: 0 });
  }

  #vitals(): Vitals {
    this.#lookAtDisk();
    const { dir, parts } = this.#options;
    const { keeper } = parts;
    const free = this.#freeBytes === undefined ? {} : { freeBytes: this.#freeBytes };
    const { byDisk, bySpool } = keeper.heldBack();
    return {
      load: (loadavg()[0] ?? 0).toFixed(2),
      spoolBytes: keeper.spoolBytes(),
      ...free,
      heldByDisk: byDisk,
      keepFreeBytes: dir.spool.freeBytes,
      heldBySpool: bySpool,
    };
  }

  /** For the next ping: a ping does not wait for a slow disk. */
  #lookAtDisk(): void {
    void freeBytes(this.#options.dir.paths.work).then((bytes) => {
      this.#freeBytes = bytes;
    });
  }

  #become(state: WorkerState): void {
    this.#state = state;
    this.#changed.emit(state);
  }
}
