import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { orGone, writePaced } from './paced-write.ts';
import type { PacedOutput } from './paced-write.ts';
import type { PersonCall } from './person-call.ts';
import type { Ssh2Channel } from './ssh-channel.ts';
import { forgetSentChunk } from './ssh2-internals.ts';

/** ssh2's channel on the server's side. */
export interface Ssh2ServerChannel extends Ssh2Channel {
  readonly stderr: NodeJS.WritableStream;
  exit(status: number): void;
}

export interface PersonSessionOptions {
  readonly command: string;
  readonly channel: Ssh2ServerChannel;
  readonly socket: Socket;
  readonly connection: object;
  readonly terminal: { readonly columns: number } | undefined;
  /** Aborted when the caller is gone; also aborted here, by Control-C on a terminal. */
  readonly gone: AbortController;
}

/** What is typed before anybody reads it. */
const TYPED_BYTES = 64 * 1024;
const STDERR_MAX = 8 * 1024;
const CONTROL_C = 3;
const CONTROL_D = 4;
const EXIT_INTERRUPTED = 130;

/** One exec channel of a person as a call. All that is sent goes through one chain, so that the two outputs keep their order. */
export class PersonSession implements PersonCall {
  readonly command: string;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  readonly isTerminal: boolean;
  readonly columns?: number;
  readonly arrivedAt: PersonCall['arrivedAt'];
  readonly #options: PersonSessionOptions;
  readonly #output: PacedOutput;
  #chain: Promise<void> = Promise.resolve();
  #isExiting = false;

  constructor(options: PersonSessionOptions) {
    const { channel, gone, terminal } = options;
    this.#options = options;
    this.command = options.command;
    // An IPv4 address may come as one of IPv6.
    const host = options.socket.localAddress?.replace(/^::ffff:/, '') ?? '127.0.0.1';
    this.arrivedAt = { host, port: options.socket.localPort ?? 0 };
    this.signal = gone.signal;
    this.#output = { ...options, signal: gone.signal };
    this.isTerminal = terminal !== undefined;
    if (terminal) this.columns = terminal.columns;
    // A write that came too late: the signal tells that the caller is gone.
    channel.on('error', () => gone.abort());
    channel.stderr.on('error', () => gone.abort());
    channel.on('close', () => gone.abort());
    this.stdin = this.#read(terminal ? this.#typed() : channel);
    // ssh2 tells of a channel's end only when all of it was read; what nobody asked for is then thrown away.
    gone.signal.addEventListener('abort', () => channel.resume(), { once: true });
  }

  write(data: string | Uint8Array): Promise<void> {
    const bytes = Buffer.from(this.isTerminal ? withReturns(data) : data);
    return this.#then(() => writePaced(this.#output, bytes));
  }

  writeError(text: string): Promise<void> {
    const { channel } = this.#options;
    const cut = text.slice(0, STDERR_MAX);
    const bytes = Buffer.from(this.isTerminal ? withReturns(cut) : cut);
    return this.#then(() => {
      forgetSentChunk(channel);
      return orGone(this.#output, (done) => channel.stderr.write(bytes, done));
    });
  }

  exit(status: number): void {
    if (this.#isExiting) return;
    this.#isExiting = true;
    const { channel } = this.#options;
    void this.#chain.then(() => {
      if (channel.writable) {
        channel.exit(status);
        // EOF and close: there is no half-open channel on the server's side.
        channel.end();
      }
      channel.resume();
    });
  }

  #then(step: () => Promise<void>): Promise<void> {
    const next = this.#chain.then(() => (this.#isOver() ? undefined : step()));
    // What failed is told to whoever wrote it, and does not stop what comes after.
    this.#chain = next.catch(() => {});
    return next;
  }

  #isOver(): boolean {
    return this.signal.aborted || !this.#options.channel.writable;
  }

  async *#read(input: Readable): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of input.iterator({ destroyOnReturn: false })) yield piece as Uint8Array;
    // The end of a lost line looks like the end of the input; who acts on half a key acts wrongly.
    if (this.signal.aborted) throw new Error('the caller is gone');
  }

  /** Nobody here is a terminal driver: Control-C and Control-D come as bytes. */
  #typed(): Readable {
    const { channel, gone } = this.#options;
    const typed = new PassThrough();
    channel.on('data', (bytes: Buffer) => {
      if (bytes.includes(CONTROL_C)) {
        gone.abort();
        this.exit(EXIT_INTERRUPTED);
      }
      if (typed.writableEnded) return;
      const end = bytes.indexOf(CONTROL_D);
      typed.write(Uint8Array.from(end < 0 ? bytes : bytes.subarray(0, end)));
      if (end >= 0) typed.end();
      // What is typed in advance is bounded; more of it is not worth keeping.
      if (typed.writableLength > TYPED_BYTES) typed.end();
    });
    channel.on('end', () => typed.end());
    gone.signal.addEventListener('abort', () => typed.end(), { once: true });
    return typed;
  }
}

/** A terminal in raw mode needs the return with each new line. */
function withReturns(data: string | Uint8Array): Buffer {
  return Buffer.from(Buffer.from(data).toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
}
