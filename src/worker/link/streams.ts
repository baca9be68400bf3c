import { errorText } from '../../base/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { CommandState } from '../../protocol/messages.ts';
import type { Link } from '../../transport/link.ts';
import { TransferCut, TransferLine, TransferRefused } from '../files/transfer-line.ts';
import type { TransferMessage } from '../files/transfer-line.ts';
import { LogSender } from '../logs/log-sender.ts';
import type { WorkerParts } from './worker-parts.ts';

interface Stream {
  readonly session: string;
  readonly sender?: LogSender;
  readonly transfer?: TransferLine;
  /** Never rejects. */
  readonly ended: Promise<void>;
}

/** What goes over one link about commands that were started: output, ends, file bodies. One stream a command. */
export class Streams {
  readonly #parts: WorkerParts;
  readonly #link: Link;
  readonly #streams = new Map<string, Stream>();
  readonly #bySession = new Map<string, Set<Stream>>();
  #isClosed = false;

  constructor(parts: WorkerParts, link: Link) {
    this.#parts = parts;
    this.#link = link;
  }

  /** Sends what there is of a command from `from` on, its end, or its file; does nothing when that goes on already. */
  begin(held: CommandState, from: number): void {
    const { command } = held;
    if (this.#isClosed || this.#streams.has(command)) return;
    if (this.#parts.commands.isKept(command)) this.#add(command, this.#log(held, from));
    else if (held.state === 'running') this.#add(command, this.#file(held));
    else this.#tellEnd(held);
  }

  /** What is not acknowledged of a session goes once more. */
  again(session: string): void {
    for (const stream of this.#bySession.get(session) ?? []) stream.sender?.again();
  }

  room(session: string): void {
    for (const stream of this.#bySession.get(session) ?? []) {
      stream.sender?.room();
      stream.transfer?.wake();
    }
  }

  progress(command: string): void {
    this.#streams.get(command)?.sender?.progress();
  }

  acknowledged(command: string, offset: number): void {
    this.#streams.get(command)?.sender?.acknowledged(offset);
  }

  want(command: string, offset: number): void {
    this.#streams.get(command)?.sender?.want(offset);
  }

  /** False when the master sent more than it may. */
  file(message: TransferMessage): boolean {
    const transfer = this.#streams.get(message.fields.command)?.transfer;
    // Of a transfer that has ended here: the master hears of its end.
    if (!transfer) return true;
    return transfer.push(copied(message));
  }

  interrupted(command: string, reason: string): void {
    this.#streams.get(command)?.transfer?.end(new TransferRefused(reason));
  }

  /** Ends a command's stream and waits until nothing uses the command any more. */
  async end(command: string): Promise<void> {
    const stream = this.#streams.get(command);
    stream?.sender?.stop();
    stream?.transfer?.end(new TransferRefused('the master forgot the command'));
    await stream?.ended;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const streams = Array.from(this.#streams.values());
    for (const stream of streams) {
      stream.sender?.stop();
      stream.transfer?.end(new TransferCut('the link ended'));
    }
    await Promise.all(streams.map((stream) => stream.ended));
  }

  #log(held: CommandState, from: number): Stream {
    const { keeper, budget, clock, logger } = this.#parts;
    const link = this.#link;
    const sender = new LogSender({ held, fence: held.fence, from, keeper, link, budget, clock, logger });
    return { session: held.session, sender, ended: this.#settled(held.command, sender.run()) };
  }

  #file(held: CommandState): Stream {
    const { command, session } = held;
    const outlet = {
      send: ((type, fields) => this.#link.send(type, session, fields)) as TransferLine['send'],
      room: () => this.#link.room(session, 'bulk'),
    };
    const transfer = new TransferLine(outlet, LIMITS.transferWindowBytes);
    return { session, transfer, ended: this.#settled(command, this.#transfer(command, transfer)) };
  }

  async #transfer(command: string, line: TransferLine): Promise<void> {
    await this.#parts.commands.transfer(command, line);
    const held = await this.#parts.commands.find(command);
    if (held?.state === 'finished' && !this.#isClosed) this.#tellEnd(held);
  }

  #tellEnd({ command, session, fence, outcome }: CommandState): void {
    if (outcome) this.#link.send('command.finished', session, { command, fence, outputEnd: 0, outcome });
  }

  #add(command: string, stream: Stream): void {
    this.#streams.set(command, stream);
    const streams = this.#bySession.get(stream.session) ?? new Set();
    this.#bySession.set(stream.session, streams.add(stream));
    void stream.ended.then(() => {
      this.#streams.delete(command);
      streams.delete(stream);
      if (streams.size === 0 && this.#bySession.get(stream.session) === streams) this.#bySession.delete(stream.session);
    });
  }

  async #settled(command: string, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#parts.logger.error(`what goes to the master of a command stopped: ${errorText(error)}`, { command });
    }
  }
}

/** Bytes alias the frame they came in. */
function copied(message: TransferMessage): TransferMessage {
  if (message.type !== 'file.data') return message;
  return { ...message, fields: { ...message.fields, bytes: Uint8Array.from(message.fields.bytes) } };
}
