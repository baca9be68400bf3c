import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deferred } from '../../base/deferred.ts';
import { errorText } from '../../base/errors.ts';
import type { Outcome } from '../../protocol/messages.ts';
import type { CommandGroup } from './command-groups.ts';
import { endFile, FILES, readRecord, writeLooseRecord } from './command-files.ts';
import { askTreeToEnd, endTree } from './end-tree.ts';
import type { KeeperLimits } from './keeper-limits.ts';
import type { Overdue } from './lease-watch.ts';
import type { LogLayout } from './log-layout.ts';
import { OutputReader } from './output-reader.ts';
import { isAlive } from './process-table.ts';
import type { ProcessIdentity } from './process-table.ts';
import { SegmentWriter } from './segment-writer.ts';
import { TreeScan } from './tree-scan.ts';
import { toldLeft, writeOutcome } from './write-outcome.ts';

/** After the main process ended so much is read beyond the limits: what the pipe holds, so that the end need not wait. */
const LAST_BYTES = 1024 * 1024;
/** From KILL of the main process to the system's word that it ended. */
const REAP_BOUND_MS = 10_000;

/** Output that was held back for so long is told of. */
const HELD_TOLD_MS = 1_000;

const CUT_MARK =
  '[trunkline: the output ends here: other processes still hold it open, what they write from now on is lost]\n';

type Ended = NonNullable<Outcome['ended']>;

export interface RunningCommandOptions {
  readonly dir: string;
  readonly cookie: string;
  readonly child: ChildProcess;
  readonly leader: ProcessIdentity;
  /** Name of the pipe that its output goes to. */
  readonly pipe: string;
  readonly group?: CommandGroup;
  /** Wall clock; the end is told as this and the time it took, so that a step of the clock does not show. */
  readonly startedAtMs: number;
  readonly readEnd: number;
  readonly silenceMs?: number;
  readonly totalMs?: number;
  readonly killAfterMs: number;
  readonly limits: KeeperLimits;
  readonly layout: LogLayout;
  /** Whether the worker's disk has room for anybody's output. */
  readonly hasSpoolRoom: () => boolean;
  /** It has none because too little is free on the disk. */
  readonly isDiskLow: () => boolean;
  readonly onOutput: () => void;
  readonly onFinished: () => void;
  readonly warn: (message: string) => void;
}

/**
 * A process and its output, until its outcome is on disk.
 *
 *   running --main process exits--> draining --end of output, or `drainMs`--> finishing --outcome.json--> finished
 *   running | draining --silence, total, deadline, end.json--> ending (TERM, KILL, nobody left) --> draining
 */
export class RunningCommand {
  readonly #options: RunningCommandOptions;
  readonly #writer: SegmentWriter;
  readonly #reader: OutputReader;
  readonly #exited = deferred();
  readonly #hurry = new AbortController();
  #exit: { readonly code: number | null; readonly signal: string | null; readonly atMs: number } | undefined;
  #endAtExit = 0;
  #isExitRecorded = false;
  #ending: Promise<void> | undefined;
  #ended: Ended | undefined;
  /** For the outcome's message. */
  readonly #notes: string[] = [];
  #left: readonly ProcessIdentity[] = [];
  #isTreeEnded = false;
  #isFinishing = false;
  readonly #startedMs = performance.now();
  #lastOutputMs = this.#startedMs;
  #silenceTimer: NodeJS.Timeout | undefined;
  #totalTimer: NodeJS.Timeout | undefined;
  #drainTimer: NodeJS.Timeout | undefined;
  #hurryTimer: NodeJS.Timeout | undefined;

  constructor(options: RunningCommandOptions) {
    this.#options = options;
    this.#writer = new SegmentWriter(options.dir, options.layout);
    options.child.on('exit', (code, signal) => this.#onExit(code, signal));
    // What can fail after the start is a signal of ours, which is not sent this way.
    options.child.on('error', (error) => options.warn(error.message));
    this.#reader = new OutputReader({
      fd: options.readEnd,
      writer: this.#writer,
      hasRoom: () => this.#hasRoom(),
      onOutput: () => {
        this.#lastOutputMs = performance.now();
        options.onOutput();
      },
      onEnd: () => this.#settle(),
      warn: options.warn,
    });
    if (options.totalMs !== undefined) this.#totalTimer = setTimeout(() => this.end('total'), timerMs(options.totalMs));
    this.#watchSilence();
  }

  /** Output on disk that waits for the master. */
  get heldBytes(): number {
    return this.#writer.heldBytes;
  }

  /** What holds its output back, if anything has for a while: a command that prints fast waits all the time for a moment. */
  get heldBy(): 'disk' | 'spool' | undefined {
    if (!this.#reader.isPaused || performance.now() - this.#reader.pausedAtMs < HELD_TOLD_MS) return undefined;
    return this.#reader.isRefused || this.#options.isDiskLow() ? 'disk' : 'spool';
  }

  /** To be called now and then, and when segments were deleted. */
  look(): void {
    if (this.#reader.isPaused) {
      this.#writer.look();
      this.#reader.look();
      if (!this.#reader.isPaused) {
        this.#lastOutputMs = performance.now();
        if (this.#exit) this.#armDrain();
      }
    }
    if (this.#exit && !this.#isExitRecorded && !this.#isFinishing) this.#recordExit();
  }

  /** Obeys `end.json`, if it is there. */
  lookForOrder(): void {
    const { dir, warn } = this.#options;
    if (!existsSync(join(dir, FILES.end))) return;
    try {
      const order = readRecord(dir, FILES.end, endFile);
      if (order) this.end(order.isForgotten ? 'forgotten' : 'interrupt');
    } catch (error) {
      // Looked for again in a moment.
      warn(`the order to end cannot be read: ${errorText(error)}`);
    }
  }

  /** Ends all its processes, and tells why in the outcome. `forgotten` gives them no time, and who is `overdue` little. */
  end(ended: Ended, overdue?: Pick<Overdue, 'message' | 'killAfterMs'>): void {
    if (ended === 'forgotten') this.#hurry.abort();
    if (overdue) this.#hurryTimer ??= setTimeout(() => this.#hurry.abort(), overdue.killAfterMs);
    if (this.#ending || this.#isFinishing) return;
    if (!this.#exit) {
      this.#ended = ended;
      if (overdue) this.#notes.push(overdue.message);
    }
    this.#ending = this.#endTree().catch((error: unknown) => {
      this.#options.warn(`ending the processes failed: ${errorText(error)}`);
      this.#notes.push(`ending its processes failed: ${errorText(error)}`);
      // So that nothing begins beside it.
      if (isAlive(this.#options.leader)) this.#left = [this.#options.leader];
      this.#isTreeEnded = true;
      this.#drainAtOnce();
    });
  }

  async #endTree(): Promise<void> {
    const { cookie, leader, pipe, group, killAfterMs, limits } = this.#options;
    const cgroup = group && (await group.isLeft) ? { cgroup: group.path } : {};
    const scan = new TreeScan({ cookie, leader, pipe: { name: pipe, sinceTicks: leader.startTicks }, ...cgroup });
    if (killAfterMs > 0 && !this.#hurry.signal.aborted) await askTreeToEnd(scan, killAfterMs, this.#hurry.signal);
    this.#left = await endTree(scan, limits.endMs);
    if (this.#left.length > 0) this.#notes.push(toldLeft(this.#left));
    const bound = new AbortController();
    await Promise.race([this.#exited.promise, sleep(REAP_BOUND_MS, undefined, { signal: bound.signal }).catch(ignore)]);
    bound.abort();
    this.#isTreeEnded = true;
    this.#drainAtOnce();
  }

  #onExit(code: number | null, signal: string | null): void {
    this.#exit = { code, signal, atMs: this.#nowMs() };
    this.#endAtExit = this.#writer.end;
    clearTimeout(this.#silenceTimer);
    clearTimeout(this.#totalTimer);
    this.#exited.resolve();
    this.#reader.look();
    this.#armDrain();
    this.#settle();
  }

  #hasRoom(): boolean {
    if (this.#isTreeEnded) return true;
    if (this.#exit && this.#writer.end - this.#endAtExit < LAST_BYTES) return true;
    // A tail is kept until its command ends: were it to wait for room in the spool, others like it might wait for it for ever.
    if (this.#writer.isRing) return !this.#options.isDiskLow();
    return this.#writer.heldBytes < this.#options.limits.commandBytes && this.#options.hasSpoolRoom();
  }

  /** Nobody is left to write: what the pipe holds is read without asking for room. */
  #drainAtOnce(): void {
    this.#reader.look();
    this.#armDrain();
    this.#settle();
  }

  /** While there is no room the time does not count: what was written in time is not lost. */
  #armDrain(): void {
    clearTimeout(this.#drainTimer);
    if (this.#reader.hasEnded) return;
    this.#drainTimer = setTimeout(() => {
      // `look` arms it anew; while the tree is being ended, its end does.
      if (this.#reader.isPaused || (this.#ending && !this.#isTreeEnded)) return;
      // What is in the pipe by now was written in time: this loop may have been held up, and not have read for long.
      setImmediate(() => setImmediate(() => this.#reader.cut(CUT_MARK)));
    }, this.#options.limits.drainMs);
  }

  #watchSilence(isSure = false): void {
    const { silenceMs } = this.#options;
    if (silenceMs === undefined || this.#exit) return;
    if (this.#reader.isPaused) this.#lastOutputMs = performance.now();
    const leftMs = this.#lastOutputMs + silenceMs - performance.now();
    if (leftMs > 0) this.#silenceTimer = setTimeout(() => this.#watchSilence(), timerMs(Math.ceil(leftMs)));
    else if (isSure) this.end('silence');
    // This keeper may have been stopped, and its pipe be full of what was written meanwhile: that is read first.
    else setImmediate(() => setImmediate(() => this.#watchSilence(true)));
  }

  #nowMs(): number {
    return this.#options.startedAtMs + Math.round(performance.now() - this.#startedMs);
  }

  /** Should the keeper be killed while it waits for the output's end, the result is not lost. */
  #recordExit(): void {
    this.#isExitRecorded = true;
    const { dir, startedAtMs } = this.#options;
    const record = { ...this.#result(), startedAtMs, endedAtMs: this.#exit?.atMs ?? this.#nowMs() };
    try {
      writeLooseRecord(dir, FILES.exit, record);
    } catch (error) {
      this.#options.warn(errorText(error));
    }
  }

  #settle(): void {
    if (!this.#reader.hasEnded || this.#isFinishing) return;
    if (this.#ending ? !this.#isTreeEnded : !this.#exit) return;
    this.#isFinishing = true;
    clearTimeout(this.#drainTimer);
    clearTimeout(this.#silenceTimer);
    clearTimeout(this.#totalTimer);
    clearTimeout(this.#hurryTimer);
    void this.#finish();
  }

  async #finish(): Promise<void> {
    const { dir, onFinished, startedAtMs, warn } = this.#options;
    const outcome = {
      ...(this.#exit ? this.#result() : { status: 'unknown' as const }),
      ...(this.#ended ? { ended: this.#ended } : {}),
      ...(this.#notes.length > 0 ? { message: this.#notes.join('; ') } : {}),
      ...(this.#reader.markBytes > 0 ? { cut: 'held' as const, markBytes: this.#reader.markBytes } : {}),
      startedAtMs,
      endedAtMs: this.#exit?.atMs ?? this.#nowMs(),
    };
    await this.#writer.close().catch((error: unknown) => warn(`the output may not be durable: ${errorText(error)}`));
    await writeOutcome(dir, { outcome, outputEnd: this.#writer.end, left: this.#left }, warn);
    onFinished();
  }

  #result(): Pick<Outcome, 'status' | 'exitCode' | 'signal'> {
    const signal = this.#exit?.signal;
    return signal ? { status: 'signalled', signal } : { status: 'exited', exitCode: this.#exit?.code ?? 0 };
  }
}

/** Node's timers fire at once for a longer delay. */
function timerMs(ms: number): number {
  return Math.min(ms, 2 ** 31 - 1);
}

function ignore(): void {
  // An aborted wait is no failure.
}
