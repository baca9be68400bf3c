import type { Duplex } from 'node:stream';
import { deferred } from '../base/deferred.ts';
import type { Channel, Subsystem } from './carrier.ts';

/** ssh2's channel, of the client's or of the server's side. */
export interface Ssh2Channel extends Duplex {
  readonly outgoing: unknown;
  readonly stderr: NodeJS.EventEmitter;
  close(): void;
}

/**
 * One subsystem channel of an SSH connection. It always has a reader, because ssh2 tells of the end of a channel only when all
 * of it was read; while nobody set one, the first piece is kept and the channel stands still.
 */
export class SshChannel implements Channel {
  readonly subsystem: Subsystem;
  readonly closed: Promise<void>;
  readonly #channel: Ssh2Channel;
  readonly #paused: Set<SshChannel>;
  readonly #ended = deferred();
  #listener: ((bytes: Uint8Array) => void) | undefined;
  #early: Uint8Array[] = [];
  #isPaused = false;
  #isClosing = false;

  /** `paused` holds the channels of a connection that stand still. */
  constructor(channel: Ssh2Channel, subsystem: Subsystem, paused: Set<SshChannel>) {
    this.#channel = channel;
    this.#paused = paused;
    this.subsystem = subsystem;
    this.closed = this.#ended.promise;
    channel.on('data', (bytes: Uint8Array) => this.#take(bytes));
    channel.on('close', () => this.end());
    // The other side gave it up: so do we, since there are no half-open channels here.
    channel.on('end', () => this.close());
    // A write that came too late; the end of the channel says all there is to say.
    channel.on('error', () => this.end());
    channel.stderr.on('error', () => this.end());
    const stderr = channel.stderr as Partial<Duplex>;
    if (stderr.readable) stderr.resume?.();
  }

  /** Bytes that came and were not read. */
  get unreadBytes(): number {
    return this.#channel.readableLength;
  }

  queuedBytes(): number {
    return this.#channel.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (this.#isClosing || !this.#channel.writable) return;
    this.#channel.write(bytes);
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#listener = listener;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) listener(bytes);
    if (!this.#isPaused) this.#channel.resume();
  }

  pause(): void {
    if (this.#isClosing) return;
    this.#isPaused = true;
    this.#paused.add(this);
    this.#channel.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#paused.delete(this);
    if (this.#listener) this.#channel.resume();
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#isPaused = false;
    this.#paused.delete(this);
    this.#early = [];
    this.#listener = ignore;
    this.#channel.end(() => this.#channel.close());
    this.#channel.resume();
  }

  /** It is over, whatever ssh2 says. */
  end(): void {
    this.#isClosing = true;
    this.#paused.delete(this);
    this.#early = [];
    this.#listener = ignore;
    this.#ended.resolve();
  }

  #take(bytes: Uint8Array): void {
    if (this.#listener) return this.#listener(bytes);
    this.#early.push(Uint8Array.from(bytes));
    this.#channel.pause();
  }
}

function ignore(): void {}
