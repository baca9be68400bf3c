import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { planSending } from '../../protocol/resume.ts';
import type { LogHole } from '../../protocol/resume.ts';
import type { Link } from '../../transport/link.ts';
import type { HeldCommand, Keeper } from '../keeper/keeper.ts';
import { ChunkCutter } from '../output/chunk-cutter.ts';
import type { Chunk } from '../output/chunk-cutter.ts';
import type { ChunkBudget } from './chunk-budget.ts';

/** So long a little output waits for more, so that a chatty command does not become a chunk a line. */
const GATHER_MS = 10;
/** Output that cannot be read now is tried again after so long. */
const RETRY_MS = 1_000;
/** Chunks that are read and compressed while one is sent: as many as Node's pool has threads, so that none stands idle. */
const AHEAD = 4;
const NOTHING = new Uint8Array(0);

export interface LogSenderOptions {
  readonly held: HeldCommand;
  readonly fence: number;
  /** Where the master goes on. */
  readonly from: number;
  readonly keeper: Keeper;
  readonly link: Link;
  readonly budget: ChunkBudget;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Sends one command's output over one link, then says how it ended. Nothing is kept of what was sent: the keeper's files hold
 * all that is not acknowledged, and `log.want` makes the sender read it again.
 */
export class LogSender {
  readonly #options: LogSenderOptions;
  readonly #cutter: ChunkCutter;
  readonly #command: string;
  readonly #session: string;
  /** All below is with the link. */
  #sent: number;
  /** Output from there on is not read. */
  #readTo = Infinity;
  /** Go back to there before the next chunk. */
  #rewindTo: number | undefined;
  #isEndTold = false;
  #isStopped = false;
  /** Something happened since the last wait. */
  #isWoken = false;
  #wake: (() => void) | undefined;
  #acked = 0;
  #isAcking = false;

  constructor(options: LogSenderOptions) {
    const { held, keeper, clock, from } = options;
    this.#options = options;
    this.#command = held.command;
    this.#session = held.session;
    this.#sent = from;
    this.#rewindTo = from;
    this.#cutter = new ChunkCutter({
      read: async (offset, maxBytes) =>
        offset < this.#readTo
          ? await keeper.read(held.command, offset, Math.min(maxBytes, this.#readTo - offset))
          : NOTHING,
      clock,
      from,
    });
  }

  /** Runs until all is sent of a command that ended, or until `stop`; goes on when the master wants something again. */
  async run(): Promise<void> {
    this.acknowledged(this.#sent);
    while (!this.#isStopped) {
      try {
        await this.#step();
      } catch (error) {
        this.#options.logger.warn(`the output of a command cannot be read: ${errorText(error)}`, {
          command: this.#command,
        });
        await this.#wait(RETRY_MS);
      }
    }
  }

  /** There is more output, or the command ended. */
  progress(): void {
    this.#wakeUp();
  }

  /** The link may have room again. */
  room(): void {
    this.#wakeUp();
  }

  acknowledged(offset: number): void {
    if (offset <= this.#acked) return;
    this.#acked = offset;
    if (!this.#isAcking) void this.#passAcknowledgement();
  }

  want(offset: number): void {
    this.#rewindTo = offset;
    this.#wakeUp();
  }

  /** The channel was lost, and what was in it. */
  again(): void {
    this.#isEndTold = false;
    this.want(Math.min(this.#acked, this.#sent));
  }

  stop(): void {
    this.#isStopped = true;
    this.#wakeUp();
  }

  async #step(): Promise<void> {
    if (this.#rewindTo !== undefined) await this.#rewind();
    const held = await this.#look();
    if (!held) return this.stop();
    const plan = planSending(held, this.#sent);
    if (plan.hole) return await this.#sendHole(plan.hole);
    const available = plan.to - this.#sent;
    if (available <= 0) return await this.#wait();
    // What follows the head of a log with a limit is left alone until the command has ended.
    this.#readTo = held.cap && this.#sent < held.cap.headBytes ? held.cap.headBytes : Infinity;
    if (held.state === 'running' && available < LIMITS.chunkBytes) await this.#gather();
    // Without room a chunk in memory would only wait there.
    if (this.#roomNow() === 0) await this.#wait();
    else if (!(await this.#sendChunks())) await this.#wait(RETRY_MS);
  }

  /** Looks at the command; tells the master as soon as it has ended: it waits for the output that is missing by itself. */
  async #look(): Promise<HeldCommand | undefined> {
    const held = await this.#options.keeper.find(this.#command);
    if (held?.state === 'finished' && held.outcome && !this.#isEndTold && !this.#isStopped) {
      this.#isEndTold = true;
      const { outputEnd, outcome } = held;
      const fields = { command: this.#command, fence: this.#options.fence, outputEnd, outcome };
      this.#options.link.send('command.finished', this.#session, fields);
    }
    return held;
  }

  async #rewind(): Promise<void> {
    const to = this.#rewindTo;
    if (to === undefined) return;
    this.#rewindTo = undefined;
    this.#sent = to;
    await this.#cutter.rewind(to);
  }

  async #sendHole(hole: LogHole): Promise<void> {
    const { link, fence } = this.#options;
    if (this.#roomNow() === 0) return await this.#wait();
    link.send('log.hole', this.#session, { command: this.#command, fence, ...hole });
    this.#sent = hole.offset + hole.length;
    await this.#cutter.rewind(this.#sent);
  }

  /** Waits for more output until it is a chunk's worth, the time is over, or the command ended. */
  async #gather(): Promise<void> {
    const end = this.#options.clock.monotonic() + GATHER_MS;
    for (;;) {
      const left = end - this.#options.clock.monotonic();
      if (left <= 0 || this.#isStopped || this.#rewindTo !== undefined) return;
      await this.#wait(left);
      const held = await this.#look();
      if (!held || held.state === 'finished' || held.outputEnd - this.#sent >= LIMITS.chunkBytes) return;
    }
  }

  /** Sends what there is; the next chunks are read and compressed beside. False when there was nothing to read yet. */
  async #sendChunks(): Promise<boolean> {
    const ahead: Promise<Chunk | undefined>[] = [];
    await this.#options.budget.take();
    ahead.push(this.#cut());
    let hasSent = false;
    try {
      while (!this.#isStopped && this.#rewindTo === undefined) {
        const chunk = await ahead[0];
        if (!chunk) return hasSent;
        // After a chunk that is not full there is nothing more now.
        const wanted = chunk.length >= LIMITS.chunkBytes ? 1 + AHEAD : 0;
        while (ahead.length < wanted && this.#options.budget.tryTake()) ahead.push(this.#cut());
        if (!(await this.#send(chunk))) return true;
        this.#sent = chunk.offset + chunk.length;
        hasSent = true;
        void ahead.shift();
        this.#options.budget.give();
        if (ahead.length === 0) return true;
      }
      return true;
    } finally {
      await this.#drop(ahead);
    }
  }

  #cut(): Promise<Chunk | undefined> {
    const chunk = this.#cutter.next();
    // It may fail before anybody awaits it; whoever does hears of it.
    chunk.catch(() => undefined);
    return chunk;
  }

  /** What was cut and not sent is cut again later. */
  async #drop(ahead: readonly Promise<Chunk | undefined>[]): Promise<void> {
    await Promise.allSettled(ahead);
    for (const _ of ahead) this.#options.budget.give();
    if (this.#cutter.offset !== this.#sent) await this.#cutter.rewind(this.#sent);
  }

  /** False when the sender was stopped before there was room. The end of the command is told meanwhile. */
  async #send(chunk: Chunk): Promise<boolean> {
    const { body, ...head } = chunk;
    const fields = { command: this.#command, fence: this.#options.fence, ...head };
    while (!this.#isStopped) {
      if (this.#options.link.sendChunk(this.#session, fields, body)) return true;
      if (await this.#look()) await this.#wait();
      else this.stop();
    }
    return false;
  }

  #roomNow(): number {
    return this.#options.link.room(this.#session, 'log');
  }

  async #passAcknowledgement(): Promise<void> {
    this.#isAcking = true;
    for (let passed = 0; passed < this.#acked;) {
      passed = this.#acked;
      try {
        await this.#options.keeper.acknowledge(this.#command, passed);
      } catch (error) {
        this.#options.logger.warn(`the spool of a command could not be shortened: ${errorText(error)}`, {
          command: this.#command,
        });
      }
    }
    this.#isAcking = false;
  }

  /** Until something happens, or the time is over. */
  async #wait(ms?: number): Promise<void> {
    if (!this.#isWoken && !this.#isStopped) {
      await new Promise<void>((resolve) => {
        const cancel = ms === undefined ? undefined : this.#options.clock.after(ms, resolve);
        this.#wake = () => {
          cancel?.();
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#isWoken = false;
  }

  #wakeUp(): void {
    this.#isWoken = true;
    this.#wake?.();
  }
}
