import { Duplex } from 'node:stream';
import type { Cancel } from '../base/clock.ts';
import { Signal } from '../base/signal.ts';
import { KiB } from '../protocol/limits.ts';
import type { Line } from './line.ts';
import { rekeyQueueBytes } from './ssh2-internals.ts';

/** So much of it may wait below before a hop takes the next write: what waits longer, waits above, where it is gated. */
const BELOW_BYTES = 64 * KiB;
/** Small, so that a write beyond it is followed by a 'drain'. A channel's own is 2 MiB: it would tell of nothing below that. */
const QUEUE_BYTES = 16 * KiB;
const UNREAD_BYTES = 64 * KiB;

export interface HopStreamOptions {
  /** ssh2's channel (direct-tcpip) of the connection to the jump host. */
  readonly channel: Duplex;
  /** ssh2's client that is connected to the jump host: this hop is its only user. */
  readonly connection: NodeJS.EventEmitter;
  /** What carries that connection. */
  readonly below: Line;
  /** The jump host, for messages. */
  readonly where: string;
}

/**
 * A channel through a jump host as the socket of the next connection, and as its line. A bare channel of ssh2 is none: it says
 * that it took what only went to the queue of the socket below, tells of room late or never, and outlives its connection.
 */
export class HopStream extends Duplex implements Line {
  readonly #options: HopStreamOptions;
  readonly #room = new Signal();

  constructor(options: HopStreamOptions) {
    super({ allowHalfOpen: false, writableHighWaterMark: QUEUE_BYTES, readableHighWaterMark: UNREAD_BYTES });
    this.#options = options;
    const { channel, connection, below, where } = options;
    const lost = (): void => void this.destroy(new Error(`the connection to ${where} was lost`));
    channel.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) channel.pause();
    });
    // The far end said that it sends no more, or sshd that it is gone; nobody here has a use for half a line.
    channel.on('end', () => this.push(null));
    channel.on('close', () => this.push(null));
    channel.on('error', (error: Error) => this.destroy(error));
    connection.on('error', (error: Error) => {
      this.destroy(new Error(`the connection to ${where} failed: ${error.message}`, { cause: error }));
    });
    connection.on('end', lost);
    connection.on('close', lost);
    connection.on('handshake', () => this.#room.emit());
    below.onDrain(() => this.#room.emit());
    this.on('drain', () => this.#room.emit());
    // Whoever uses it hears of its end; without a listener the process would end.
    this.on('error', () => undefined);
    if (below.stream.destroyed) lost();
  }

  get stream(): Duplex {
    return this;
  }

  queuedBytes(): number {
    return this.writableLength + this.#belowBytes();
  }

  onDrain(listener: () => void): Cancel {
    return this.#room.on(listener);
  }

  override _read(): void {
    this.#options.channel.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // A channel that is closed never calls back; then this is destroyed, which ends all that waits.
    this.#options.channel.write(bytes, () => {
      if (this.#belowBytes() <= BELOW_BYTES) return done();
      const cancel = this.#room.on(() => {
        if (this.#belowBytes() > BELOW_BYTES) return;
        cancel();
        done();
      });
    });
  }

  override _final(done: () => void): void {
    this.#options.channel.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { channel, below } = this.#options;
    channel.removeAllListeners('data');
    // Unread bytes would keep the channel's end back.
    channel.resume();
    below.stream.destroy();
    done(error);
  }

  #belowBytes(): number {
    const { below, connection } = this.#options;
    return below.queuedBytes() + rekeyQueueBytes(connection);
  }
}
