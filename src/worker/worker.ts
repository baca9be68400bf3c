import { loadavg } from 'node:os';
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
import type { Fields } from '../protocol/messages.ts';
import type { Link, LinkEnd, Vitals } from '../transport/link.ts';
import type { Way } from '../transport/way.ts';
import { Attachment } from './link/attachment.ts';
import type { KeyExchange } from './keys/key-exchange.ts';
import { rotateKey } from './keys/rotate-key.ts';
import { TrustedHostKeys } from './keys/trusted-host-keys.ts';
import { WorkerKeys } from './keys/worker-keys.ts';
import { IdleWatch } from './idle-watch.ts';
import { Leaving } from './leaving.ts';
import { explain, needsPerson } from './link/connect.ts';
import { heedGoodbye } from './heed-goodbye.ts';
import { keepConnected } from './link/link-loop.ts';
import { LinkOpener } from './link/open-link.ts';
import type { OpenedLink } from './link/open-link.ts';
import type { WorkerParts } from './link/worker-parts.ts';
import { loadWay } from './jump-hosts.ts';
import { freeBytes } from './machine-facts.ts';
import { openParts, readIdentity } from './open-parts.ts';
import type { WorkerOptions } from './open-parts.ts';
import { CALLED, loadWorkerDir } from './worker-dir.ts';
import type { WorkerDir } from './worker-dir.ts';

const MAX_REASON = 1_000;
/** A stop waits so long for orders that are being carried out, say the removal of a large folder. */
const ORDERS_MS = 5_000;

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
  /** Asks the master for nothing more. It ends when nothing runs here; one that is killed before goes on so at its next start. */
  drain(reason: string): Promise<void>;
  /**
   * Resolves when it was stopped, by `stop` or over its control socket, or has left as it was started to; rejects when it had to,
   * its folder being gone, or the master having sent it away.
   */
  readonly closed: Promise<void>;
}

/**
 * Starts the daemon of a worker's folder. Resolves when it holds the folder and has found what it ran before; connecting goes
 * on from there. Rejects with a UserMistake when the folder is none, or is held by another daemon.
 */
export async function openWorker(options: WorkerOptions): Promise<Worker> {
  const { clock, logger } = options;
  const { called = CALLED } = options;
  const dir = await loadWorkerDir(options.dir, called);
  const way = await loadWay(dir.way, dir.path);
  const undo = new Disposer();
  try {
    // Undone last, so that the one who asked for the stop hears of it when the folder can be started again.
    const served: ControlServer[] = [];
    undo.add(async () => void (await Promise.all(served.map((control) => control.close()))));
    undo.add(
      await lockFolder({
        noun: 'worker',
        called,
        dir: dir.path,
        secretFile: dir.paths.key,
        controlSocket: dir.paths.controlSocket,
      }),
    );
    const keys = await WorkerKeys.open(dir, logger);
    undo.add(() => keys.close());
    const gone = deferred();
    const parts = await openParts(dir, options, undo, gone.resolve);
    const leaving = await Leaving.open(dir.paths.state, options.isOnce ?? false, clock.now());
    const hello = { ...(await readIdentity(dir, options)), ...leaving.hello };
    const daemon = new Daemon({
      dir,
      parts,
      undo,
      hello,
      leaving,
      idleExitMs: options.idleExitMs,
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
        drain: async ({ reason }) => {
          await daemon.drain(typeof reason === 'string' ? reason : 'drained on its machine');
          return { name: dir.name };
        },
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
  readonly leaving: Leaving;
  readonly idleExitMs: number | undefined;
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
  readonly #idle: IdleWatch | undefined;

  constructor(options: DaemonOptions) {
    this.name = options.dir.name;
    this.#options = options;
    const { clock, logger, parts, leaving, idleExitMs } = options;
    if (idleExitMs !== undefined) {
      const isIdle = async (): Promise<boolean> =>
        this.#state.link === 'connected' && (await parts.commands.list()).length === 0;
      const onIdle = (): void => {
        leaving.idle(idleExitMs);
        this.#tellLeaving();
      };
      this.#idle = new IdleWatch({ clock, logger, limitMs: idleExitMs, isIdle, onIdle });
    }
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

  async drain(reason: string): Promise<void> {
    await this.#options.leaving.drain(reason.slice(0, MAX_REASON));
    this.#tellLeaving();
  }

  /** Stops for good, as one that is started again finds the truth: no folder, or a new one, whose commands are lost. */
  giveUp(message: string, exitStatus = 1): Promise<void> {
    this.#failure ??= new UserMistake(message, { exitStatus });
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
      await this.#heed(error);
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
      // Before the inventory, after which builds may be given.
      this.#tellLeaving();
      await attachment.start();
      this.#idle?.touch();
      link.onMessage(() => this.#idle?.touch());
      this.#exchange = exchange;
      exchange.start();
      if (this.#options.parts.keeper.heldBack().byDisk > 0) link.pingNow();
      this.#options.logger.info(`connected to ${link.peer}`);
      this.#become({ link: 'connected', peer: link.peer });
      const end = await link.closed;
      await this.#heed(end, attachment);
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
    this.#idle?.close();
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

  /** Does what a goodbye asks for; `why` is a link's end, or an error of the greeting. */
  async #heed(why: unknown, attachment?: Attachment): Promise<void> {
    const sentAway = await heedGoodbye(why, this.#options, async () => await attachment?.close());
    if (!sentAway) return;
    // Not waited for: a stop waits for the loop, which has called this.
    void ('exitStatus' in sentAway ? this.giveUp(sentAway.message, sentAway.exitStatus) : this.stop());
  }

  #tellLeaving(): void {
    const { reason } = this.#options.leaving;
    if (reason !== undefined) this.#link?.send('leave', '', { reason });
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
