import type { Fields, Message } from '../../protocol/messages.ts';

/** The messages that a master sends about one transfer. */
export type TransferMessage = Extract<
  Message,
  { type: 'file.want' | 'file.data' | 'file.ack' | 'file.stored' | 'file.refused' }
>;

type SentType = 'file.pull' | 'file.push' | 'file.data' | 'file.ack' | 'file.end' | 'file.refused';

/** What a transfer sees of its link. */
export interface TransferOutlet {
  send<T extends SentType>(type: T, fields: Fields<T>): void;
  /** Payload bytes of `file.data` that may be sent now. */
  room(): number;
}

/** It cannot be done: by the machine, by the master's word, or because somebody ended it. Ends the command. */
export class TransferRefused extends Error {
  override readonly name = 'TransferRefused';
}

/** The link went, or the daemon stops: the transfer goes on over the next link. */
export class TransferCut extends Error {
  override readonly name = 'TransferCut';
}

/**
 * One transfer's side of a link: what came and was not taken yet, and one thing to wait for: that a message came, that there
 * is room, or that it is over. What comes is bounded by the window that the sender of a body keeps to; `push` tells when not.
 */
export class TransferLine {
  readonly #outlet: TransferOutlet;
  readonly #maxBytes: number;
  #messages: TransferMessage[] = [];
  #heldBytes = 0;
  #end: Error | undefined;
  /** Something happened since the last wait: it may be between the look and the wait. */
  #isWoken = false;
  #wake: (() => void) | undefined;

  constructor(outlet: TransferOutlet, maxBytes: number) {
    this.#outlet = outlet;
    this.#maxBytes = maxBytes;
  }

  send<T extends SentType>(type: T, fields: Fields<T>): void {
    if (!this.#end) this.#outlet.send(type, fields);
  }

  room(): number {
    return this.#outlet.room();
  }

  /** False when the peer sends more than the window: it does not keep to the protocol. */
  push(message: TransferMessage): boolean {
    const bytes = message.type === 'file.data' ? message.fields.bytes.byteLength : 0;
    // Messages without a body are a few for each window of bytes.
    if (this.#heldBytes + bytes > this.#maxBytes || this.#messages.length > this.#maxBytes / 256) return false;
    this.#heldBytes += bytes;
    this.#messages.push(message);
    this.wake();
    return true;
  }

  /** Throws what `end` was given. */
  check(): void {
    if (this.#end) throw this.#end;
  }

  /** All that came, in order. Throws what `end` was given. */
  take(): readonly TransferMessage[] {
    this.check();
    const messages = this.#messages;
    this.#messages = [];
    this.#heldBytes = 0;
    return messages;
  }

  /** There may be room again. */
  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves when there is something to take or there may be room. */
  async changed(): Promise<void> {
    if (!this.#isWoken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#isWoken = false;
  }

  end(reason: TransferCut | TransferRefused): void {
    this.#end ??= reason;
    this.#messages = [];
    this.wake();
  }
}
