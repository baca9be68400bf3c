import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Hash } from 'node:crypto';
import { LIMITS } from '../../protocol/limits.ts';
import { hashOf } from './part-file.ts';
import { TransferRefused } from './transfer-line.ts';
import type { TransferLine } from './transfer-line.ts';

export interface GetFile {
  readonly command: string;
  readonly fence: number;
  /** Absolute. */
  readonly source: string;
  /** As the master asked for it. */
  readonly shown: string;
  readonly maxBytes?: number;
}

/**
 * Pushes a file to the master, which says from which offset on and acknowledges what it has on disk; no more than a window is
 * under way. Resolves when the master has stored it whole.
 */
export async function getFile(
  get: GetFile,
  line: TransferLine,
): Promise<{ readonly size: number; readonly sha256: string; readonly mtimeMs: number }> {
  // Without O_NONBLOCK a named pipe would hold the open until somebody writes to it.
  const file = await open(get.source, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new TransferRefused(`"${get.shown}" is no plain file`);
    const { size } = found;
    if (get.maxBytes !== undefined && size > get.maxBytes) {
      throw new TransferRefused(`"${get.shown}" has ${size} bytes; at most ${get.maxBytes} were asked for`);
    }
    return { ...(await new Push(get, file, size, line).run()), mtimeMs: Math.floor(found.mtimeMs) };
  } finally {
    await file.close();
  }
}

/** States: waits for `file.want` → sends → said `file.end`, waits for `file.stored`; each `file.want` goes back to sending. */
class Push {
  readonly #get: GetFile;
  readonly #file: FileHandle;
  readonly #size: number;
  readonly #line: TransferLine;
  readonly #buffer = Buffer.allocUnsafe(LIMITS.dataPayloadBytes);
  #hash: Hash | undefined;
  #position = 0;
  #acked = 0;
  #sha256: string | undefined;
  #isStored = false;

  constructor(get: GetFile, file: FileHandle, size: number, line: TransferLine) {
    this.#get = get;
    this.#file = file;
    this.#size = size;
    this.#line = line;
  }

  async run(): Promise<{ readonly size: number; readonly sha256: string }> {
    const { command, fence } = this.#get;
    this.#line.send('file.push', { command, fence, size: this.#size });
    for (;;) {
      await this.#read();
      if (this.#isStored) return { size: this.#size, sha256: this.#sha256 ?? (await this.#wholeHash()) };
      if (!(await this.#sendSome())) await this.#line.changed();
    }
  }

  async #read(): Promise<void> {
    for (const message of this.#line.take()) {
      if (message.type === 'file.refused') throw new TransferRefused(message.fields.message);
      if (message.type === 'file.stored') this.#isStored = true;
      if (message.type === 'file.ack') this.#acked = Math.max(this.#acked, message.fields.offset);
      if (message.type === 'file.want') await this.#goTo(message.fields.offset);
    }
  }

  async #goTo(offset: number): Promise<void> {
    const hash = offset <= this.#size ? await hashOf(this.#file, offset) : undefined;
    if (!hash) throw this.#changed();
    this.#hash = hash;
    this.#position = offset;
    this.#acked = offset;
    this.#sha256 = undefined;
  }

  /** False when there is nothing to do but wait. */
  async #sendSome(): Promise<boolean> {
    if (!this.#hash || this.#sha256 !== undefined) return false;
    const { command, fence } = this.#get;
    if (this.#position === this.#size) {
      this.#sha256 = this.#hash.digest('hex');
      this.#line.send('file.end', { command, fence, size: this.#size, sha256: this.#sha256 });
      return false;
    }
    const window = this.#acked + LIMITS.transferWindowBytes - this.#position;
    const wanted = Math.min(LIMITS.dataPayloadBytes, this.#size - this.#position, window, this.#line.room());
    if (wanted <= 0) return false;
    const { bytesRead } = await this.#file.read(this.#buffer, 0, wanted, this.#position);
    if (bytesRead === 0) throw this.#changed();
    // The reading took time, and the room may have gone to others.
    const bytes = this.#buffer.subarray(0, Math.min(bytesRead, this.#line.room()));
    if (bytes.byteLength === 0) return false;
    this.#hash.update(bytes);
    this.#line.send('file.data', { command, fence, offset: this.#position, bytes });
    this.#position += bytes.byteLength;
    return true;
  }

  /** The master had it stored when the last line was cut. */
  async #wholeHash(): Promise<string> {
    const hash = await hashOf(this.#file, this.#size);
    if (!hash) throw this.#changed();
    return hash.digest('hex');
  }

  #changed(): TransferRefused {
    const message = `"${this.#get.shown}" became shorter while it was sent`;
    this.#line.send('file.refused', { command: this.#get.command, code: 'changed', message });
    return new TransferRefused(message);
  }
}
