import { Duplex } from 'node:stream';
import type { Cancel, Clock } from '../base/clock.ts';
import { writePaced } from './paced-write.ts';
import type { PacedOutput } from './paced-write.ts';
import type { Ssh2Channel } from './ssh-channel.ts';

export interface ForwardStreamOptions extends Omit<PacedOutput, 'signal'> {
  readonly channel: Ssh2Channel;
  readonly clock: Clock;
}

/** Bytes that may wait on either side of the stream; ssh2's window of 2 MiB comes on top for what arrives. */
const WAITING_BYTES = 64 * 1024;

/**
 * One forward of a person (`ssh -L`) as a stream for whoever serves it here: no descriptor, no port. It has of a socket what
 * Node's HTTP server asks for. Its end is the channel's: SSH has no half-open channel on the server's side.
 */
export class ForwardStream extends Duplex {
  readonly #options: ForwardStreamOptions;
  readonly #gone = new AbortController();
  #idleMs = 0;
  #lastActiveMs = 0;
  #cancelIdle: Cancel = () => {};

  constructor(options: ForwardStreamOptions) {
    super({ highWaterMark: WAITING_BYTES, allowHalfOpen: true });
    this.#options = options;
    const { channel } = options;
    channel.on('data', (bytes: Uint8Array) => {
      this.#touch();
      // ssh2 reads on into the same memory.
      if (!this.push(Buffer.from(bytes))) channel.pause();
    });
    channel.on('end', () => this.push(null));
    channel.on('close', () => this.destroy());
    // A write that came too late; the end of the channel says all there is to say.
    channel.on('error', () => this.destroy());
    channel.stderr.on('error', () => this.destroy());
  }

  /** Bytes that came and were not read. */
  get unreadBytes(): number {
    return this.#options.channel.readableLength + this.readableLength;
  }

  /** As a socket's: emits `timeout` when nothing moved for so long, 0 for never. The listener decides what that means. */
  setTimeout(idleMs: number, listener?: () => void): this {
    if (listener) this.once('timeout', listener);
    this.#cancelIdle();
    this.#cancelIdle = () => {};
    this.#idleMs = this.destroyed ? 0 : idleMs;
    this.#touch();
    if (this.#idleMs > 0) this.#watchIdle(this.#idleMs);
    return this;
  }

  override _read(): void {
    this.#options.channel.resume();
  }

  override _write(bytes: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    // It never fails: who reads no more is told by the channel's end.
    void writePaced({ ...this.#options, signal: this.#gone.signal }, bytes).finally(() => {
      this.#touch();
      callback();
    });
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#options.channel.end(() => {
      callback();
      this.destroy();
    });
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#cancelIdle();
    this.#gone.abort();
    const { channel } = this.#options;
    // Not `end`: that would wait for a reader who may never read. What is not sent is not worth sending.
    channel.close();
    // ssh2 tells of a channel's end, and forgets it, only when all of it was read.
    channel.resume();
    callback(error);
  }

  #touch(): void {
    if (this.#idleMs > 0) this.#lastActiveMs = this.#options.clock.monotonic();
  }

  #watchIdle(delayMs: number): void {
    const { clock } = this.#options;
    this.#cancelIdle = clock.after(delayMs, () => {
      const leftMs = this.#lastActiveMs + this.#idleMs - clock.monotonic();
      this.#watchIdle(leftMs > 0 ? leftMs : this.#idleMs);
      if (leftMs <= 0) this.emit('timeout');
    });
  }
}
