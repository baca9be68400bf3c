import { decode, encode } from '../protocol/codec.ts';
import { FRAME_HEAD_BYTES, FrameReader } from '../protocol/frame.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Fields, Message, MessageType } from '../protocol/messages.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { Channel } from './carrier.ts';

export interface FrameHandler {
  message(message: Message, wireBytes: number): void;
  /** The peer broke a rule; nothing more is read from this channel. */
  broken(error: ProtocolError): void;
}

export interface FrameChannelOptions {
  readonly from: 'worker' | 'master';
  readonly maxBodyBytes?: number;
  /** Bytes came. */
  readonly heard?: (bytes: number) => void;
}

/** Messages that may wait for a handler. */
const MOST_EARLY = 64;

/** A channel as messages. While it has no handler, what comes waits; little may, and a peer that sends more breaks the rules. */
export class FrameChannel {
  readonly channel: Channel;
  readonly #options: FrameChannelOptions;
  readonly #reader: FrameReader;
  #heard: ((bytes: number) => void) | undefined;
  #handler: FrameHandler | undefined;
  #early: { readonly message: Message; readonly wireBytes: number }[] = [];
  #error: ProtocolError | undefined;

  constructor(channel: Channel, options: FrameChannelOptions) {
    this.channel = channel;
    this.#options = options;
    this.#heard = options.heard;
    this.#reader = new FrameReader(options.maxBodyBytes ?? LIMITS.controlFrameBytes);
    channel.onData((bytes) => this.#read(bytes));
  }

  get subsystem(): Channel['subsystem'] {
    return this.channel.subsystem;
  }

  /** The next messages go there; undefined: they wait. */
  handle(handler: FrameHandler | undefined): void {
    this.#handler = handler;
    while (this.#handler) {
      const next = this.#early.shift();
      if (!next) break;
      this.#handler.message(next.message, next.wireBytes);
    }
    if (this.#error) this.#handler?.broken(this.#error);
  }

  set heard(heard: (bytes: number) => void) {
    this.#heard = heard;
  }

  set maxBodyBytes(bytes: number) {
    this.#reader.maxBodyBytes = bytes;
  }

  /** Past the writer and its order: for the greeting and the goodbye. */
  sendNow<T extends MessageType>(type: T, fields: Fields<T>): void {
    this.channel.write(encode(type, '', fields));
  }

  #read(bytes: Uint8Array): void {
    this.#heard?.(bytes.byteLength);
    if (this.#error) return;
    try {
      for (const body of this.#reader.feed(bytes)) {
        const message = decode(body, { from: this.#options.from });
        if ('unknown' in message) continue;
        this.#deliver(message, body.byteLength + FRAME_HEAD_BYTES);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#error = error;
      this.#early = [];
      this.#handler?.broken(error);
    }
  }

  #deliver(message: Message, wireBytes: number): void {
    if (this.#handler) return this.#handler.message(message, wireBytes);
    if (this.#early.length >= MOST_EARLY) throw new ProtocolError('unexpected', `${message.type} came too early`);
    // Its bytes alias the frame, which is only good now; before the greeting no message of this protocol carries bytes.
    this.#early.push({ message: structuredClone(message), wireBytes });
  }
}
