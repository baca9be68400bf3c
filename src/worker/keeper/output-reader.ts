import { Socket } from 'node:net';
import type { OnReadOpts } from 'node:net';
import { errorCode, errorText } from '../../base/errors.ts';
import type { SegmentWriter } from './segment-writer.ts';

/** One for all commands: what is read is written away before the next read. A pipe gives 64 KiB at most by default. */
const BUFFER = Buffer.allocUnsafeSlow(256 * 1024);

const NEWLINE = 0x0a;

export interface OutputReaderOptions {
  /** Read end of the pipe; the reader closes it. */
  readonly fd: number;
  readonly writer: SegmentWriter;
  readonly hasRoom: () => boolean;
  readonly onOutput: () => void;
  /** All was read and written, or the rest was given up. */
  readonly onEnd: () => void;
  readonly warn: (message: string) => void;
}

/** Moves bytes from the pipe to the segments while there is room; while it does not, the pipe fills and the writer blocks. */
export class OutputReader {
  readonly #options: OutputReaderOptions;
  readonly #socket: Socket;
  /** Read, but the disk did not take it. */
  #unwritten: Buffer | undefined;
  #isAtLineStart = true;
  #isPaused = false;
  #pausedAtMs = 0;
  #isRefusalTold = false;
  #isClosed = false;
  #hasEnded = false;
  #markBytes = 0;

  constructor(options: OutputReaderOptions) {
    this.#options = options;
    const onread: OnReadOpts = { buffer: BUFFER, callback: (count) => this.#take(BUFFER.subarray(0, count)) };
    const pipe = { fd: options.fd, readable: true, writable: false, onread };
    this.#socket = new Socket(pipe);
    this.#socket.on('error', (error) => options.warn(`reading the output failed: ${error.message}`));
    this.#socket.on('close', () => {
      this.#isClosed = true;
      this.#settle();
    });
    this.#socket.resume();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** By `performance.now`; of a reader that is paused. */
  get pausedAtMs(): number {
    return this.#pausedAtMs;
  }

  /** The disk did not take what was read last. */
  get isRefused(): boolean {
    return this.#unwritten !== undefined;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Length of the mark of `cut`; 0 when all was read. */
  get markBytes(): number {
    return this.#markBytes;
  }

  /** Goes on if there is room again. */
  look(): void {
    if (!this.#isPaused) return;
    const rest = this.#unwritten;
    if (rest) {
      this.#unwritten = undefined;
      this.#store(rest);
    }
    if (this.#unwritten || !this.#options.hasRoom()) return;
    this.#isPaused = false;
    this.#settle();
    this.#socket.resume();
  }

  /** Reads no more, and ends the output with a mark; who still writes is told so by the system (EPIPE). */
  cut(mark: string): void {
    if (this.#isClosed) return;
    const bytes = Buffer.from(this.#isAtLineStart ? mark : `\n${mark}`);
    this.#markBytes = bytes.length;
    this.#store(bytes);
    // A disk that does not take the mark holds the end up until it does.
    if (this.#unwritten) this.#pause();
    this.#socket.destroy();
  }

  #pause(): void {
    if (!this.#isPaused) this.#pausedAtMs = performance.now();
    this.#isPaused = true;
  }

  #take(bytes: Buffer): boolean {
    this.#isAtLineStart = bytes.at(-1) === NEWLINE;
    this.#store(bytes);
    if (!this.#unwritten && this.#options.hasRoom()) return true;
    this.#pause();
    return false;
  }

  #store(bytes: Buffer): void {
    const { writer } = this.#options;
    const before = writer.end;
    try {
      writer.write(bytes);
      this.#isRefusalTold = false;
    } catch (error) {
      // The command's folder was taken away: there is nobody who would ever read it.
      if (errorCode(error) === 'ENOENT') return;
      // Once: it is tried again several times a second, and the line may go to the very disk that is full.
      if (!this.#isRefusalTold) this.#options.warn(`output could not be written, trying again: ${errorText(error)}`);
      this.#isRefusalTold = true;
      this.#unwritten = Buffer.from(bytes.subarray(writer.end - before));
    }
    if (writer.end > before) this.#options.onOutput();
  }

  #settle(): void {
    if (!this.#isClosed || this.#unwritten || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#options.onEnd();
  }
}
