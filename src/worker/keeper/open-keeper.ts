import { existsSync } from 'node:fs';
import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Moment } from '../../base/moment.ts';
import { Signal } from '../../base/signal.ts';
import type { Claim } from './command-files.ts';
import { Gate } from '../../base/gate.ts';
import { isSame, NOTHING_HELD } from './held-back.ts';
import type { HeldBack } from './held-back.ts';
import type { HeldCommand, Keeper, KeeperSpec } from './keeper.ts';
import { KEEPER_LIMITS } from './keeper-limits.ts';
import type { KeeperLimits } from './keeper-limits.ts';
import { KeeperGone } from './keeper-line.ts';
import type { OrderBody } from './keeper-line.ts';
import { KeeperLines } from './keeper-lines.ts';
import { socketFolder } from './keeper-socket.ts';
import { dropLeastLease, raiseLeastLease } from './lease-files.ts';
import { toWire } from './order-line.ts';
import { isAlive } from './process-table.ts';
import { recoverCommand } from './recover-command.ts';
import { writeSight } from './sight.ts';
import { Spool } from './spool.ts';
import { keeperProgram } from './start-keeper-process.ts';

export interface KeeperOptions {
  /** Made if it is not there. One daemon at a time. */
  readonly spoolDir: string;
  /** A short path; by default the spool, or a folder in the system's temporary one if the spool's path is too long. */
  readonly socketDir?: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits?: Partial<KeeperLimits>;
  /** The built keeper-main.js. */
  readonly program?: readonly string[];
  /** The spool was taken away: its commands are lost, and the keeper is of no use any more. */
  readonly onGone?: () => void;
}

const START_TRIES = 3;
const RECOVERIES_AT_ONCE = 4;
/** Catches what no socket told: a keeper that was out of reach and died. */
const INSPECT_MS = 2_000;
/** The keeper tells when it is done; this is for when it cannot. */
const LOOK_MS = 200;
/** At processes that could not be ended. */
const LOOK_LEFT_MS = 1_000;

/** Finds the keepers that run on the spool; ends what was left by those that died. */
export async function openKeeper(options: KeeperOptions): Promise<Keeper> {
  await mkdir(options.spoolDir, { recursive: true, mode: 0o700 });
  const keeper = new SpoolKeeper({ ...options, spoolDir: await realpath(options.spoolDir) });
  await keeper.open();
  return keeper;
}

class SpoolKeeper implements Keeper {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #spool: Spool;
  readonly #limits: KeeperLimits;
  readonly #lines: KeeperLines;
  readonly #progress = new Signal<string>();
  /** Each looks through the whole process table. */
  readonly #gate = new Gate(RECOVERIES_AT_ONCE);
  readonly #recoveries = new Map<string, Promise<void>>();
  readonly #onGone: (() => void) | undefined;
  /** Real time, whatever the clock: it looks after real processes. */
  #inspector: NodeJS.Timeout | undefined;
  #isClosed = false;
  #heldBack = NOTHING_HELD;
  readonly #heldBackChanged = new Signal<HeldBack>();

  constructor(options: KeeperOptions) {
    const { spoolDir, logger, clock } = options;
    this.#logger = logger;
    this.#clock = clock;
    this.#onGone = options.onGone;
    this.#spool = new Spool(spoolDir);
    this.#limits = { ...KEEPER_LIMITS, ...options.limits };
    this.#lines = new KeeperLines({
      spoolDir,
      socketDir: options.socketDir ?? socketFolder(spoolDir),
      limits: this.#limits,
      program: options.program ?? keeperProgram(),
      logger,
      hears: {
        onProgress: (commands) => this.#onProgress(commands),
        onHeldBack: () => this.#onHeldBack(),
      },
      onLost: () => this.#onLost(),
    });
  }

  async open(): Promise<void> {
    await this.#spool.sweep();
    await this.#lines.connect();
    this.#spool.list();
    for (const command of this.#spool.listDamaged()) {
      this.#logger.error('the claim of a command is damaged: what became of it is not known', {
        folder: join(this.#spool.dir, command),
      });
    }
    await Promise.all(this.#recoverDead());
    this.#inspector = setInterval(() => this.#inspect(), INSPECT_MS);
    this.#inspector.unref();
  }

  async start(spec: KeeperSpec): Promise<void> {
    for (let tries = 1; ; tries++) {
      if (this.#spool.isDamaged(spec.command)) return await this.#mend(spec);
      if (this.#spool.has(spec.command)) return;
      try {
        const line = await this.#lines.current();
        await line.order({ order: 'start', spec: toWire(spec) });
        return;
      } catch (error) {
        if (!(error instanceof KeeperGone) || tries === START_TRIES) throw error;
        this.#logger.warn('the keeper went away during a start', { command: spec.command });
      }
    }
  }

  /** It may have run: it is not started, and its outcome is unknown. */
  async #mend(spec: KeeperSpec): Promise<void> {
    await this.#spool.mend(spec, this.#limits.segmentBytes, this.#clock.now());
    await Promise.all(this.#recoverDead());
  }

  interrupt(command: string, reason: string): Promise<void> {
    return this.#orderEnd(command, false, reason);
  }

  async forget(command: string): Promise<void> {
    if (this.#spool.findUnfinished(command)) await this.#orderEnd(command, true, 'forgotten');
    while (this.#spool.findUnfinished(command)) {
      await this.#recoveries.get(command);
      void Promise.all(this.#recoverDead());
      await this.#moved(command);
    }
    await this.#recoveries.get(command);
    // Dropped before, nobody would know any more that something of it lives.
    while (this.#spool.pidsOf(command).length > 0 && !this.#isClosed)
      await sleep(LOOK_LEFT_MS, undefined, { ref: false });
    if (!this.#isClosed) await this.#spool.remove(command);
  }

  folderOf(command: string): string | undefined {
    return this.#spool.folderOf(command);
  }

  pidsOf(command: string): readonly number[] {
    return this.#spool.pidsOf(command);
  }

  async list(): Promise<readonly HeldCommand[]> {
    return this.#spool.list();
  }

  async find(command: string): Promise<HeldCommand | undefined> {
    return this.#spool.find(command);
  }

  setFence(command: string, fence: number): Promise<void> {
    return this.#spool.setFence(command, fence);
  }

  async setLease(command: string, leaseMs: number | undefined): Promise<void> {
    this.#spool.setLease(command, leaseMs);
  }

  raiseLeastLease(leaseMs: number): Promise<void> {
    return raiseLeastLease(this.#spool.dir, leaseMs);
  }

  dropLeastLease(): Promise<void> {
    return dropLeastLease(this.#spool.dir);
  }

  seen(sentAt: Moment, pingMs: number): void {
    try {
      writeSight(this.#spool.dir, { ...sentAt, pingMs });
    } catch (error) {
      this.#logger.error('commands may be ended as out of sight: the keeper cannot be told that the master sees us', {
        error: errorText(error),
      });
    }
  }

  read(command: string, offset: number, maxBytes: number): Promise<Uint8Array> {
    return this.#spool.read(command, offset, maxBytes);
  }

  async acknowledge(command: string, offset: number): Promise<void> {
    if (!(await this.#spool.acknowledge(command, offset))) return;
    const claim = this.#spool.findUnfinished(command);
    if (claim) await this.#tell(claim.keeper.pid, { order: 'room', command });
  }

  onProgress(listener: (command: string) => void): Cancel {
    return this.#progress.on(listener);
  }

  heldBack(): HeldBack {
    return this.#heldBack;
  }

  onHeldBack(listener: (held: HeldBack) => void): Cancel {
    return this.#heldBackChanged.on(listener);
  }

  spoolBytes(): number {
    return this.#spool.bytes();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#inspector);
    this.#lines.close();
    await Promise.all(this.#recoveries.values());
  }

  async #orderEnd(command: string, isForgotten: boolean, reason: string): Promise<void> {
    const claim = this.#spool.findUnfinished(command);
    if (!claim) return;
    const written = this.#spool.orderEnd(command, isForgotten, reason);
    const failure = await written.then(() => undefined, errorText);
    const isTold = await this.#tell(claim.keeper.pid, { order: 'end', command, isForgotten });
    if (failure === undefined) return;
    if (!isTold) return await written;
    // A full disk: who ends builds to make room there must not be refused for it.
    this.#logger.warn('an order to end was given, but could not be written', { command, error: failure });
  }

  /** False when the keeper is out of reach: it finds in the files what they hold of the order. */
  async #tell(pid: number, order: OrderBody): Promise<boolean> {
    const line = this.#lines.find(pid);
    try {
      await line?.order(order);
    } catch (error) {
      if (!(error instanceof KeeperGone)) throw error;
      return false;
    }
    return line !== undefined;
  }

  #onHeldBack(): void {
    const now = this.#lines.heldBack();
    if (this.#isClosed || isSame(now, this.#heldBack)) return;
    this.#heldBack = now;
    this.#heldBackChanged.emit(now);
  }

  #onProgress(commands: readonly string[]): void {
    for (const command of commands) {
      try {
        if (this.#spool.find(command)) this.#progress.emit(command);
      } catch (error) {
        // One command's trouble is not to cut the line that serves all.
        this.#logger.error('a wake-up failed', { command, error: errorText(error) });
      }
    }
  }

  /** It may have died between an outcome and telling of it: then there is nothing to recover, but something to tell. */
  #onLost(): void {
    this.#inspect(() => this.#tellAll());
  }

  #inspect(then?: () => void): void {
    if (this.#isClosed) return;
    const inspected = this.#inspectNow().then(() => {
      if (!this.#isClosed) then?.();
    });
    inspected.catch((error: unknown) => {
      if (this.#isClosed) return;
      if (!existsSync(this.#spool.dir)) {
        clearInterval(this.#inspector);
        this.#onGone?.();
        return;
      }
      this.#logger.warn('looking after the keepers failed, it is tried again', { error: errorText(error) });
    });
  }

  async #inspectNow(): Promise<void> {
    // First what may throw: with a promise begun before it, that one's failure would be nobody's.
    const recoveries = this.#recoverDead();
    await Promise.all([this.#connect(), this.#spool.sweepHalfMade(), ...recoveries]);
  }

  async #connect(): Promise<void> {
    // What was told while nobody listened is told again.
    if (await this.#lines.connect()) this.#tellAll();
  }

  #tellAll(): void {
    this.#onProgress(this.#spool.list().map(({ command }) => command));
  }

  /** Throws when the spool cannot be read; what it gives never rejects. */
  #recoverDead(): Promise<void>[] {
    const keepers = new Map<string, boolean>();
    const isDead = ({ keeper }: Claim): boolean => {
      const key = `${keeper.bootId} ${keeper.pid} ${keeper.startTicks}`;
      const alive = keepers.get(key) ?? isAlive(keeper);
      keepers.set(key, alive);
      return !alive;
    };
    const dead = this.#spool.listUnfinished().filter(isDead);
    return dead.map((claim) => {
      const known = this.#recoveries.get(claim.command);
      if (known) return known;
      const recovery = this.#gate
        .pass(() => this.#recover(claim.command))
        .finally(() => this.#recoveries.delete(claim.command));
      this.#recoveries.set(claim.command, recovery);
      return recovery;
    });
  }

  async #recover(command: string): Promise<void> {
    try {
      // The outcome may have been its keeper's last deed.
      const claim = this.#spool.findUnfinished(command);
      if (!claim) return;
      this.#logger.warn('the keeper of a command died: ending its processes', { command, keeper: claim.keeper.pid });
      const warn = (message: string): void => this.#logger.warn(message, { command });
      await recoverCommand(this.#spool.dir, claim, this.#limits.endMs, this.#clock.now(), warn);
    } catch (error) {
      this.#logger.error('a command could not be recovered', { command, error: errorText(error) });
    }
    this.#onProgress([command]);
  }

  /** Resolves when the command moved on, or after a while. */
  async #moved(command: string): Promise<void> {
    const wait = new AbortController();
    const cancel = this.#progress.on((moved) => {
      if (moved === command) wait.abort();
    });
    // An aborted sleep is what we wait for.
    await sleep(LOOK_MS, undefined, { signal: wait.signal }).catch(() => undefined);
    cancel();
  }
}
