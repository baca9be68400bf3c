import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { plain } from '../../base/plain.ts';
import { showDuration } from '../../config/duration.ts';
import type { ReporterShape } from '../../config/shape.ts';
import { LONGEST_RETRY_MS, retryInMs } from '../../model/outbox.ts';
import type { OutboxMessage } from '../../model/outbox.ts';
import type { Store } from '../../store/store.ts';
import { Rounds } from '../rounds.ts';
import type { Outcome } from './outcome.ts';
import { postWebhook } from './post-webhook.ts';
import { sendMail } from './send-mail.ts';

export interface LaneOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The master's folder. */
  readonly dir: string;
  /** As it is configured now; absent: it is not any more. */
  readonly reporter: () => ReporterShape | undefined;
}

const DEADLINE_MS = 30_000;
const ERROR_MAX = 300;

/**
 * Sends what waits for one reporter, one message after the other: waiting → sent, or put off, or given up. A message that is sent
 * and not yet noted when the master dies is sent again by the next one, with the same key.
 */
export class Lane {
  readonly #name: string;
  readonly #options: LaneOptions;
  readonly #rounds: Rounds;
  readonly #closing = new AbortController();
  /** Sent, and the store could not note it. */
  readonly #unnoted = new Set<number>();
  #due: Cancel | undefined;

  constructor(name: string, options: LaneOptions) {
    this.#name = name;
    this.#options = options;
    const { clock, logger } = options;
    const failed = `what reporter ${name} is to send could not be looked for, or noted; it is tried again`;
    this.#rounds = new Rounds({ clock, logger, failed, round: () => this.#round() });
  }

  wake(): void {
    this.#rounds.wake();
  }

  /** What is under way is let go of, and waits. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#rounds.close();
    this.#due?.();
  }

  async #round(): Promise<void> {
    const { store, clock, reporter } = this.#options;
    this.#due?.();
    while (!this.#closing.signal.aborted) {
      const shape = reporter();
      const message = shape && (await store.outbox.next(this.#name));
      if (!shape || !message) return;
      const waitMs = message.nextTryMs - clock.now();
      // Of a longer wait the clock was set back.
      if (waitMs > 0 && waitMs <= LONGEST_RETRY_MS) {
        this.#due = clock.after(waitMs, () => this.wake());
        return;
      }
      await this.#send(shape, message);
    }
  }

  async #send(shape: ReporterShape, message: OutboxMessage): Promise<void> {
    const { store, clock, logger } = this.#options;
    const { id, to } = message;
    const outcome = this.#unnoted.has(id) ? 'sent' : await this.#try(shape, message);
    if (outcome === undefined) return;
    if (outcome === 'sent') {
      this.#unnoted.add(id);
      await store.outbox.sent(id, clock.now());
      this.#unnoted.delete(id);
      logger.info('a message is sent', { reporter: this.#name, message: id, to });
      return;
    }
    const attempts = message.attempts + 1;
    const inMs = outcome.isFinal ? undefined : retryInMs({ ...message, attempts }, clock.now(), Math.random());
    const why = plain(outcome.why).slice(0, ERROR_MAX);
    if (inMs === undefined) {
      await store.outbox.giveUp(id, why, clock.now());
      logger.error('a message is given up', { reporter: this.#name, message: id, to, attempts, why });
    } else {
      await store.outbox.putOff(id, why, clock.now() + inMs);
      logger.warn('a message could not be sent, and is tried again', {
        reporter: this.#name,
        message: id,
        to,
        attempts,
        why,
      });
    }
  }

  /** Undefined when the master stops meanwhile. */
  async #try(shape: ReporterShape, message: OutboxMessage): Promise<Outcome | undefined> {
    const { clock, dir } = this.#options;
    const deadline = new AbortController();
    const cancel = clock.after(DEADLINE_MS, () => deadline.abort());
    const signal = AbortSignal.any([this.#closing.signal, deadline.signal]);
    try {
      return shape.kind === 'mail'
        ? await sendMail(shape, message, dir, signal)
        : await postWebhook(shape, message, { dir, nowMs: clock.now(), signal });
    } catch (error) {
      if (this.#closing.signal.aborted) return undefined;
      const why = deadline.signal.aborted ? `not done within ${showDuration(DEADLINE_MS)}` : explain(error);
      return { why, isFinal: false };
    } finally {
      cancel();
    }
  }
}

/** `fetch` says what happened in the cause. */
function explain(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? `${errorText(error)}: ${errorText(cause)}` : errorText(error);
}
