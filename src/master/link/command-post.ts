import { deferred } from '../../base/deferred.ts';
import type { Fields, Outcome } from '../../protocol/messages.ts';
import type { FileReceiver } from '../files/file-receiver.ts';
import type { FileSender } from '../files/file-sender.ts';
import { LogIntake } from '../logs/log-intake.ts';
import type { IntakeOptions } from '../logs/log-intake.ts';
import type { CommandOrder } from './desk.ts';
import { overran } from './outcomes.ts';

export interface PostOptions {
  readonly command: string;
  readonly worker: string;
  readonly session: string;
  /** The install that has claimed it, as the store says. */
  readonly seenBy: string | undefined;
  readonly intake: Omit<IntakeOptions, 'onStored' | 'onOverrun'>;
  readonly onStored: (logId: number) => void;
}

/** What the worker asked for before the build gave its order again. */
export type AskedTransfer =
  | { readonly kind: 'pull'; readonly fields: Fields<'file.pull'> }
  | { readonly kind: 'push'; readonly fields: Fields<'file.push'> };

/**
 * All that the master has in mind of one command. It outlives connections:
 *
 *     waiting ── start sent ──> told ── command.started, or named by the inventory ──> held ── finished ──> (output stored) settled
 *
 * With the connection `told` and `held` fall back to `waiting`; the next inventory says which it is. `seenBy` never falls back:
 * a command that an install had claimed and holds no more is not started again.
 */
export class CommandPost {
  readonly command: string;
  readonly worker: string;
  readonly session: string;
  readonly intake: LogIntake;
  seenBy: string | undefined;
  order: CommandOrder | undefined;
  isStartSent = false;
  isHeld = false;
  isInterruptSent = false;
  /** A power loss took output from the worker's disk that is stored here. */
  hasLostTail = false;
  asked: AskedTransfer | undefined;
  transfer: FileSender | FileReceiver | undefined;
  /** The transfers of earlier connections may still have a file open. */
  transfersDone: Promise<void> = Promise.resolve();
  #finished: { readonly outcome: Outcome; readonly outputEnd: number } | undefined;
  #isSettled = false;
  readonly #outcome = deferred<Outcome>();

  constructor(options: PostOptions) {
    this.command = options.command;
    this.worker = options.worker;
    this.session = options.session;
    this.seenBy = options.seenBy;
    this.intake = new LogIntake({
      ...options.intake,
      onStored: (logId) => {
        if (logId !== undefined) options.onStored(logId);
        this.#settle();
      },
      onOverrun: (atMs) => {
        const outcome = overran(options, options.intake.limitBytes, atMs);
        this.#finished = { outcome, outputEnd: this.intake.storedEnd };
        this.#settle();
      },
    });
  }

  /** Resolves when the outcome is here and the output up to its end is stored. */
  get outcome(): Promise<Outcome> {
    return this.#outcome.promise;
  }

  get isFinished(): boolean {
    return this.#finished !== undefined;
  }

  /** The first outcome stays. */
  finish(outcome: Outcome, outputEnd: number): void {
    if (this.#finished) return;
    const further = this.#markLostTail(outcome, outputEnd);
    this.#finished = {
      outcome: further > 0 ? { ...outcome, cut: 'lost' } : outcome,
      outputEnd: outputEnd + further,
    };
    this.#settle();
  }

  /** The worker has lost its spool: what is missing of the output of a finished command will never come, and the log says so. */
  giveUpOutput(nowMs: number): void {
    if (!this.#finished) return;
    const offset = this.intake.storedEnd;
    const { outcome, outputEnd } = this.#finished;
    const length = outputEnd - offset;
    if (length <= 0) return;
    this.#finished = { outcome: { ...outcome, cut: 'lost' }, outputEnd };
    this.intake.offer({ offset, length, atMs: nowMs, lines: 0, codec: 'hole', body: new Uint8Array(0), wireBytes: 0 });
  }

  /** The connection is gone. */
  detach(): void {
    this.isStartSent = false;
    this.isHeld = false;
    this.isInterruptSent = false;
    this.intake.end();
    this.stopTransfer();
  }

  stopTransfer(): void {
    this.asked = undefined;
    this.transfer?.stop();
    this.transfer = undefined;
  }

  /** The log ends where it is stored, with a line that says so; returns by how much that is further than the worker's end. */
  #markLostTail(outcome: Outcome, outputEnd: number): number {
    const offset = this.intake.storedEnd;
    if (!this.hasLostTail || outputEnd >= offset || outcome.status === 'refused') return 0;
    const body = Buffer.from('\n[trunkline: the worker lost the end of this output; what came after is missing]\n');
    const { endedAtMs: atMs } = outcome;
    this.intake.offer({ offset, length: body.length, atMs, lines: 2, codec: 'raw', body, wireBytes: 0 });
    return offset + body.length - outputEnd;
  }

  #settle(): void {
    if (this.#isSettled || !this.#finished || this.intake.storedEnd < this.#finished.outputEnd) return;
    this.#isSettled = true;
    this.#outcome.resolve(this.#finished.outcome);
  }
}
