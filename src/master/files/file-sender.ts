import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { errorCode, errorText } from '../../base/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Link } from '../../transport/link.ts';

export interface TransferOptions {
  readonly link: Link;
  readonly session: string;
  readonly command: string;
  readonly fence: number;
}

export interface FileSenderOptions extends TransferOptions {
  readonly path: string;
  /** What the worker was told: another size now is a file that changed. */
  readonly size: number | undefined;
  /** Where the worker wants it from. */
  readonly offset: number;
}

/** One read of the disk fills several frames. */
const READ_BYTES = 8 * LIMITS.dataPayloadBytes;
/** Wait for so much room rather than send crumbs. */
const LEAST_BYTES = 4 * 1024;

/** `put`: sends a file of the master's, as far ahead of the worker's acknowledgements as the window allows. */
export class FileSender {
  readonly #options: FileSenderOptions;
  #sent: number;
  #acknowledged: number;
  #isStopped = false;
  #wake: () => void = () => undefined;

  constructor(options: FileSenderOptions) {
    this.#options = options;
    this.#sent = options.offset;
    this.#acknowledged = options.offset;
  }

  /** Resolves when all is sent, or it was stopped, or the worker was told why not. Never rejects. */
  async run(): Promise<void> {
    const { link, path } = this.#options;
    const cancel = link.onRoom(() => this.#wake());
    try {
      // Without waiting for the other end of what turns out to be a FIFO.
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        await this.#send(file);
      } finally {
        await file.close();
      }
    } catch (error) {
      const what = errorCode(error) === 'ENOENT' ? 'is not there' : `cannot be read: ${errorText(error)}`;
      this.#refuse(errorCode(error) === 'ENOENT' ? 'not-found' : 'unreadable', `the master's file ${path} ${what}`);
    } finally {
      cancel();
    }
  }

  acknowledged(offset: number): void {
    if (offset > this.#acknowledged && offset <= this.#sent) this.#acknowledged = offset;
    this.#wake();
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  async #send(file: FileHandle): Promise<void> {
    const { path, size } = this.#options;
    const stat = await file.stat();
    if (!stat.isFile()) return this.#refuse('unreadable', `the master's ${path} is no regular file`);
    const found = stat.size;
    if (size !== undefined && found !== size) {
      return this.#refuse('changed', `the master's file ${path} has ${found} bytes now, it had ${size}`);
    }
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    while (this.#sent < found && !this.#isStopped) {
      const bytes = this.#allowed(found - this.#sent);
      if (bytes === 0) {
        await this.#woken(found);
        continue;
      }
      const { bytesRead } = await file.read(buffer, 0, bytes, this.#sent);
      if (bytesRead === 0) return this.#refuse('changed', `the master's file ${path} became shorter while it was sent`);
      if (!this.#isStopped) this.#sendFrames(buffer.subarray(0, bytesRead));
    }
  }

  #sendFrames(block: Buffer): void {
    const { link, session, command, fence } = this.#options;
    for (let from = 0; from < block.length; from += LIMITS.dataPayloadBytes) {
      // A copy: the link may queue what the buffer holds no longer.
      const bytes = Uint8Array.from(block.subarray(from, from + LIMITS.dataPayloadBytes));
      link.send('file.data', session, { command, fence, offset: this.#sent, bytes });
      this.#sent += bytes.length;
    }
  }

  #allowed(left: number): number {
    const { link, session } = this.#options;
    const window = LIMITS.transferWindowBytes - (this.#sent - this.#acknowledged);
    const bytes = Math.min(READ_BYTES, left, window, link.room(session, 'bulk'));
    return bytes < Math.min(left, LEAST_BYTES) ? 0 : bytes;
  }

  /** Asks once more after the bell is hung up, so that no ring is missed. */
  #woken(size: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = () => undefined;
        resolve();
      };
      if (this.#isStopped || this.#allowed(size - this.#sent) > 0) this.#wake();
    });
  }

  #refuse(code: string, message: string): void {
    const { link, session, command } = this.#options;
    if (!this.#isStopped) link.send('file.refused', session, { command, code, message: message.slice(0, 1_000) });
  }
}
