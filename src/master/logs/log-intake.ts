import { showSize } from '../../base/size.ts';
import type { LogChunk } from '../../model/log.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { ProtocolError } from '../../protocol/protocol-error.ts';
import { receiveChunk } from '../../protocol/resume.ts';

/** A chunk, or a hole, as it came off the wire. */
export interface ArrivedChunk extends LogChunk {
  readonly wireBytes: number;
}

/** What the connection of the moment is told. */
export interface IntakeReplies {
  /** All below `offset` is stored. */
  ack(offset: number): void;
  want(offset: number): void;
  /** So many wire bytes take no memory any more. */
  consumed(wireBytes: number): void;
  /** The log could not be stored: the connection has to begin anew. */
  failed(error: unknown): void;
}

/** `weight`: what it takes, see `LogStore.weigh`. */
export interface StoredLog {
  readonly end: number;
  readonly weight: number;
}

export interface IntakeOptions {
  /** Absent: the command has no log, and what it prints is dropped. */
  readonly logId?: number;
  readonly stored: StoredLog;
  /** Of the command's output no more than this is kept; a worker that sends much more breaks the rules. */
  readonly limitBytes: number;
  readonly append: (logId: number, chunk: LogChunk) => Promise<void>;
  /** What is stored now, after a failed write. */
  readonly reread: (logId: number) => Promise<StoredLog>;
  /** The worker does not keep to the limit: no more is stored. */
  readonly onOverrun: (atMs: number) => void;
  /** More is stored. */
  readonly onStored: (logId: number | undefined) => void;
}

const SILENT: IntakeReplies = { ack() {}, want() {}, consumed() {}, failed() {} };

/**
 * Takes one command's output in: judges each chunk by its offset, hands it to the store without waiting for the one before
 * (the store keeps their order), and acknowledges what is committed. It outlives connections: each new one begins with
 * `begin`, after what the last one left under way is settled. What waits here is bounded by the credit the sender was
 * granted, since nothing is granted again before it is stored.
 *
 * A write that fails ends the connection; the next one resumes at what is stored. There is no second way to recover.
 */
export class LogIntake {
  readonly #options: IntakeOptions;
  #replies = SILENT;
  /** Stored: may be acknowledged. */
  #storedEnd: number;
  /** Stored or handed to the store. */
  #acceptedEnd: number;
  #wantedAt: number | undefined;
  #hasFailed = false;
  #isTelling = false;
  /** Of `begin`: only the latest connection is told. */
  #turn = 0;
  /** Of all that was accepted. */
  #weight: number;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#storedEnd = options.stored.end;
    this.#acceptedEnd = options.stored.end;
    this.#weight = options.stored.weight;
  }

  get storedEnd(): number {
    return this.#storedEnd;
  }

  /** A new connection: resolves to the offset to go on from. */
  async begin(replies: IntakeReplies): Promise<number> {
    const turn = ++this.#turn;
    this.#replies = SILENT;
    await this.settled();
    const { logId, reread } = this.#options;
    const { end, weight } =
      this.#hasFailed && logId !== undefined ? await reread(logId) : { end: this.#storedEnd, weight: this.#weight };
    if (turn !== this.#turn) return end;
    this.#storedEnd = end;
    this.#weight = weight;
    this.#hasFailed = false;
    this.#acceptedEnd = this.#storedEnd;
    this.#wantedAt = undefined;
    this.#replies = replies;
    return this.#storedEnd;
  }

  /** The connection is gone: nobody is told any more. */
  end(): void {
    this.#replies = SILENT;
  }

  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  offer(chunk: ArrivedChunk): void {
    if (this.#hasFailed) return;
    const answer = receiveChunk({ storedEnd: this.#acceptedEnd, wantedAt: this.#wantedAt }, chunk);
    if (answer.action === 'store') {
      this.#store(chunk);
      return;
    }
    this.#replies.consumed(chunk.wireBytes);
    if (answer.action === 'want') {
      this.#wantedAt = answer.offset;
      this.#replies.want(answer.offset);
    } else if (answer.action === 'known') {
      this.#tell();
    }
  }

  #store(chunk: ArrivedChunk): void {
    const { logId, append } = this.#options;
    const replies = this.#replies;
    const { wireBytes, offset, length, atMs, lines, codec, body } = chunk;
    this.#weight += weightOf(chunk);
    if (this.#weight > this.#options.limitBytes + LIMITS.logSlackBytes) return this.#overrun(replies, atMs);
    this.#acceptedEnd = offset + length;
    this.#wantedAt = undefined;
    const write = logId === undefined ? Promise.resolve() : append(logId, { offset, length, atMs, lines, codec, body });
    const done = write
      .then(
        () => {
          this.#storedEnd = offset + length;
          this.#tell();
        },
        (error: unknown) => {
          const isFirst = !this.#hasFailed;
          this.#hasFailed = true;
          if (isFirst) replies.failed(error);
        },
      )
      .finally(() => {
        replies.consumed(wireBytes);
        this.#underWay.delete(done);
      });
    this.#underWay.add(done);
  }

  #overrun(replies: IntakeReplies, atMs: number): void {
    this.#hasFailed = true;
    const limit = `its log has a limit of ${showSize(this.#options.limitBytes)}`;
    replies.failed(new ProtocolError('flow-violation', `more output of a command was sent than may be kept: ${limit}`));
    this.#options.onOverrun(atMs);
  }

  /** Chunks of one commit are acknowledged by one message. */
  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      this.#replies.ack(this.#storedEnd);
      this.#options.onStored(this.#options.logId);
    });
  }
}

/** As `LogStore.weigh` counts. */
function weightOf({ codec, length, body }: LogChunk): number {
  return codec === 'hole' || codec === 'cut' ? LIMITS.holeWeightBytes : Math.max(length, body.byteLength);
}
