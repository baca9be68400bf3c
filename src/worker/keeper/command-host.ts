import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeNewFile } from '../../base/atomic-file.ts';
import { systemClock } from '../../base/clock.ts';
import { errorCode, errorText } from '../../base/errors.ts';
import { momentOf } from '../../base/moment.ts';
import type { Outcome } from '../../protocol/messages.ts';
import { FILES, writeLooseRecord } from './command-files.ts';
import type { Claim } from './command-files.ts';
import type { CommandGroup, CommandGroups } from './command-groups.ts';
import { cookieOf, withCookie } from './cookie.ts';
import { FifoPool } from './fifo-pool.ts';
import { Gate } from '../../base/gate.ts';
import type { HeldBack } from './held-back.ts';
import type { KeeperLimits } from './keeper-limits.ts';
import { launchProcess } from './launch-process.ts';
import { LeaseWatch } from './lease-watch.ts';
import { layOutLog } from './log-layout.ts';
import type { LogLayout } from './log-layout.ts';
import type { WireSpec } from './order-line.ts';
import { identityOf } from './process-table.ts';
import { RunningCommand } from './running-command.ts';
import { SpoolGauge } from './spool-gauge.ts';
import { writeOutcome } from './write-outcome.ts';

/** Each writes a few files. */
const STARTS_AT_ONCE = 16;
const LONGEST_MESSAGE = 1_000;

export interface CommandHostOptions {
  readonly spoolDir: string;
  readonly limits: KeeperLimits;
  /** Undefined where cgroups are not ours to make. */
  readonly groups: CommandGroups | undefined;
  /** More output of a command, or its end. */
  readonly onProgress: (command: string, isFinished: boolean) => void;
  readonly warn: (message: string) => void;
}

/** The commands of one keeper process. */
export class CommandHost {
  readonly #options: CommandHostOptions;
  readonly #gate = new Gate(STARTS_AT_ONCE);
  readonly #fifos: FifoPool;
  readonly #gauge: SpoolGauge;
  readonly #self = identityOf(process.pid);
  readonly #starting = new Map<string, Promise<void>>();
  readonly #running = new Map<string, RunningCommand>();
  readonly #leases: LeaseWatch;

  constructor(options: CommandHostOptions) {
    this.#options = options;
    const { groups } = options;
    const prefix = `.pipe-${process.pid}-${randomBytes(6).toString('hex')}`;
    this.#fifos = new FifoPool(options.spoolDir, prefix, groups && ((work) => groups.aside(work)));
    this.#gauge = new SpoolGauge(options.spoolDir, options.limits, () => this.#usage());
    this.#leases = new LeaseWatch(options.spoolDir, () => momentOf(systemClock), options.warn);
  }

  get isIdle(): boolean {
    return this.#running.size === 0 && this.#starting.size === 0;
  }

  /** Makes pipes ahead of the first command. */
  prepare(): Promise<void> {
    return this.#fifos.fill();
  }

  /** Resolves when the process runs or was refused. Does nothing for a command that was claimed before, by anybody. */
  start(spec: WireSpec): Promise<void> {
    const known = this.#starting.get(spec.command);
    if (known) return known;
    const started = this.#gate.pass(() => this.#start(spec)).finally(() => this.#starting.delete(spec.command));
    this.#starting.set(spec.command, started);
    return started;
  }

  /** Resolves when all starts that are under way have come to their end. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#starting.values());
  }

  end(command: string, isForgotten: boolean): void {
    this.#running.get(command)?.end(isForgotten ? 'forgotten' : 'interrupt');
  }

  room(command: string): void {
    this.#running.get(command)?.look();
  }

  lookAfterRoom(): void {
    for (const running of this.#running.values()) running.look();
  }

  heldBack(): HeldBack {
    const by = { disk: 0, spool: 0 };
    for (const { heldBy } of this.#running.values()) if (heldBy) by[heldBy]++;
    return { byDisk: by.disk, bySpool: by.spool };
  }

  lookForOrders(): void {
    for (const running of this.#running.values()) running.lookForOrder();
    this.#leases.read();
    this.#options.groups?.sweep();
  }

  /** Ends whom the master has not seen for longer than their lease. */
  endUnseen(): void {
    for (const { command, ...why } of this.#leases.listOverdue()) this.#running.get(command)?.end('deadline', why);
  }

  /** The spool is gone: nobody will ever ask for these. */
  endAll(): void {
    for (const running of this.#running.values()) running.end('forgotten');
  }

  async close(): Promise<void> {
    await this.#fifos.close();
    this.#options.groups?.close();
  }

  #usage(): { readonly bytes: number; readonly names: ReadonlySet<string> } {
    let bytes = 0;
    for (const running of this.#running.values()) bytes += running.heldBytes;
    return { bytes, names: new Set(this.#running.keys()) };
  }

  async #start(spec: WireSpec): Promise<void> {
    const dir = join(this.#options.spoolDir, spec.command);
    if (existsSync(dir)) return;
    const layout = layOutLog(this.#options.limits, spec.logMaxBytes);
    const claimedAt = momentOf(systemClock);
    const { groups } = this.#options;
    const cgroup = groups?.take();
    let isClaimed = false;
    try {
      isClaimed = await this.#claim(dir, spec, layout, cgroup);
    } finally {
      if (!isClaimed && cgroup !== undefined) groups?.giveBack(cgroup);
    }
    if (!isClaimed) return;
    this.#leases.add(spec, claimedAt);
    // The order may have lain in a buffer while the daemon stood still: by now the work may have begun elsewhere.
    const late = this.#leases.overdue(spec.command);
    if (late) {
      if (cgroup !== undefined) groups?.giveBack(cgroup);
      await this.#refuse(dir, spec.command, { message: late.message, ended: 'deadline' });
    } else await this.#launch(dir, spec, layout, cgroup);
  }

  async #refuse(dir: string, command: string, why: Pick<Outcome, 'message' | 'ended' | 'fault'>): Promise<void> {
    this.#leases.delete(command);
    const now = Date.now();
    const outcome = { status: 'refused', ...why, startedAtMs: now, endedAtMs: now } as const;
    await writeOutcome(dir, { outcome, outputEnd: 0 }, this.#options.warn);
    this.#options.onProgress(command, true);
  }

  /**
   * The claim: a folder with the claim's file in it is renamed to the command's name, which fails if there is one. Durable
   * before the process starts, so that also after a power cut "no folder" means "never started".
   */
  async #claim(dir: string, spec: WireSpec, layout: LogLayout, cgroup: string | undefined): Promise<boolean> {
    const { spoolDir } = this.#options;
    const made = join(spoolDir, `.new-${process.pid}-${randomBytes(6).toString('hex')}`);
    const claim: Claim = {
      command: spec.command,
      session: spec.session,
      fence: spec.fence,
      keeper: this.#self,
      ...layout,
      ...(cgroup === undefined ? {} : { cgroup }),
      atMs: Date.now(),
      folder: spec.folder,
      ...(spec.leaseMs === undefined ? {} : { leaseMs: spec.leaseMs }),
    };
    mkdirSync(made, { mode: 0o700 });
    try {
      if (spec.masks) await writeNewFile(join(made, FILES.masks), JSON.stringify({ masks: spec.masks }), 0o600);
      await writeNewFile(join(made, FILES.claim), JSON.stringify(claim), 0o600);
      await syncFolder(made);
      renameSync(made, dir);
    } catch (error) {
      await rm(made, { recursive: true, force: true });
      const code = errorCode(error);
      if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
      if (code !== 'ENOSPC') throw error;
      const message = `the disk of ${spoolDir} is full: nothing was started; make room there, and build again`;
      throw new Error(message, { cause: error });
    }
    await syncFolder(spoolDir);
    return true;
  }

  async #launch(dir: string, spec: WireSpec, layout: LogLayout, cgroup: string | undefined): Promise<void> {
    const { spoolDir, limits, groups, onProgress, warn } = this.#options;
    const startedAtMs = Date.now();
    const cookie = cookieOf(spoolDir, spec.command);
    let launched: Awaited<ReturnType<typeof launchProcess>>;
    let readEnd: number;
    let pipe = '';
    let group: CommandGroup | undefined;
    try {
      const fifo = await this.#fifos.take();
      readEnd = fifo.readEnd;
      pipe = fifo.name;
      const launch = {
        argv: spec.argv,
        cwd: spec.cwd,
        env: withCookie(spec.env, spec.command, cookie),
        ...(spec.stdin === undefined ? {} : { stdin: Buffer.from(spec.stdin, 'base64') }),
        dir,
        output: fifo.writeEnd,
      };
      if (groups && cgroup !== undefined) {
        ({ spawned: launched, group } = await groups.start(cgroup, () => launchProcess(launch)));
      } else launched = await launchProcess(launch);
      closeSync(fifo.writeEnd);
      if ('refused' in launched) closeSync(fifo.readEnd);
    } catch (error) {
      launched = { refused: `no pipe could be made for the output: ${errorText(error)}`, fault: 'worker' };
      readEnd = -1;
    }
    if ('refused' in launched) {
      if (cgroup !== undefined) groups?.release(cgroup);
      const { refused, fault } = launched;
      const message = refused.slice(0, LONGEST_MESSAGE);
      return await this.#refuse(dir, spec.command, { message, ...(fault && { fault }) });
    }
    const leader = identityOf(launched.pid);
    const running = new RunningCommand({
      dir,
      cookie,
      child: launched.child,
      leader,
      pipe,
      ...(group && { group }),
      startedAtMs,
      readEnd,
      ...(spec.silenceMs === undefined ? {} : { silenceMs: spec.silenceMs }),
      ...(spec.totalMs === undefined ? {} : { totalMs: spec.totalMs }),
      killAfterMs: spec.killAfterMs,
      limits,
      layout,
      hasSpoolRoom: () => this.#gauge.hasRoom(),
      isDiskLow: () => this.#gauge.isDiskLow(),
      onOutput: () => onProgress(spec.command, false),
      onFinished: () => {
        this.#running.delete(spec.command);
        this.#leases.delete(spec.command);
        if (cgroup !== undefined) groups?.release(cgroup);
        onProgress(spec.command, true);
      },
      warn: (message) => warn(`${spec.command}: ${message}`),
    });
    this.#running.set(spec.command, running);
    // Only of use after the keeper's death: not durable on purpose, as no process outlives the machine's.
    try {
      writeLooseRecord(dir, FILES.process, { process: leader, startedAtMs, pipe });
    } catch (error) {
      warn(`${spec.command}: ${errorText(error)}`);
    }
  }
}
