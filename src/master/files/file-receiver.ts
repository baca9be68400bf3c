import { errorText } from '../../base/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Fields } from '../../protocol/messages.ts';
import { ProtocolError } from '../../protocol/protocol-error.ts';
import type { TransferOptions } from './file-sender.ts';
import { PartialFile } from './partial-file.ts';

export interface FileReceiverOptions extends TransferOptions {
  readonly filesDir: string;
  readonly target: string;
  readonly maxBytes: number | undefined;
  /** What the worker says the file has. */
  readonly size: number;
}

/**
 * `get`: takes a file of the worker's in. What came is written, made durable, then acknowledged; while one write is under
 * way the next pieces gather, so the disk sets the pace. The window bounds what waits.
 */
export class FileReceiver {
  readonly #options: FileReceiverOptions;
  /** The next offset that is expected; undefined until `file.want` was sent, or after the end. */
  #expected: number | undefined;
  #acknowledged = 0;
  #pieces: Uint8Array[] = [];
  #end: Fields<'file.end'> | undefined;
  #isStopped = false;
  #wake: () => void = () => undefined;

  constructor(options: FileReceiverOptions) {
    this.#options = options;
  }

  /** Resolves when the file is in its place, or it was stopped, or the worker was told why not. Never rejects. */
  async run(): Promise<void> {
    const { filesDir, command, target, maxBytes, size } = this.#options;
    if (maxBytes !== undefined && size > maxBytes) {
      return this.#refuse('too-big', `the file has ${size} bytes; at most ${maxBytes} are taken here`);
    }
    try {
      const file = await PartialFile.open(filesDir, command, size);
      try {
        await this.#receive(file);
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#refuse('disk', `the master cannot store ${target}: ${errorText(error)}`);
    }
  }

  /** Throws a ProtocolError when more came than the window allows, or more than the file has. */
  data(offset: number, bytes: Uint8Array): void {
    if (this.#isStopped || this.#expected !== offset) return;
    const end = offset + bytes.byteLength;
    if (end > this.#options.size || end - this.#acknowledged > LIMITS.transferWindowBytes) {
      throw new ProtocolError(
        'flow-violation',
        `file.data of ${this.#options.command} goes on to ${end}, beyond its window`,
      );
    }
    this.#expected = end;
    this.#pieces.push(Uint8Array.from(bytes));
    this.#wake();
  }

  end(fields: Fields<'file.end'>): void {
    this.#end = fields;
    this.#wake();
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  async #receive(file: PartialFile): Promise<void> {
    const { link, session, command } = this.#options;
    this.#expected = this.#acknowledged = file.length;
    link.send('file.want', session, { command, offset: file.length });
    while (!this.#isStopped) {
      if (this.#pieces.length > 0) {
        const pieces = this.#pieces;
        this.#pieces = [];
        await file.append(pieces);
        await file.sync();
        this.#acknowledged = file.length;
        if (!this.#isStopped) link.send('file.ack', session, { command, offset: file.length });
      } else if (this.#end) {
        return this.#finish(file, this.#end);
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  async #finish(file: PartialFile, end: Fields<'file.end'>): Promise<void> {
    const { link, session, command, target } = this.#options;
    const isWhole = file.length === end.size && end.sha256 === (await file.sha256());
    if (!isWhole) {
      await file.remove();
      this.#refuse('damaged', `what came of the file is not what was sent (${file.length} of ${end.size} bytes)`);
      return;
    }
    await file.moveTo(target);
    if (!this.#isStopped) link.send('file.stored', session, { command });
  }

  #refuse(code: string, message: string): void {
    const { link, session, command } = this.#options;
    if (!this.#isStopped) link.send('file.refused', session, { command, code, message: message.slice(0, 1_000) });
    this.#isStopped = true;
  }
}
