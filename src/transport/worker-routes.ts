import { LIMITS } from '../protocol/limits.ts';
import type { Fields, Message, MessageType } from '../protocol/messages.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { Subsystem } from './carrier.ts';
import type { FrameChannel } from './frame-channel.ts';
import { checkKind, transferOf } from './routes.ts';
import type { Routes } from './routes.ts';

export interface WorkerRoutesOptions {
  readonly control: FrameChannel;
  /** Opens a channel that is listened to; rejects when it cannot be had. */
  readonly open: (subsystem: Subsystem) => Promise<FrameChannel>;
  readonly opened: (route: string) => void;
  readonly lost: (route: string) => void;
  readonly failed: (subsystem: Subsystem, error: unknown) => void;
  /** The link has ended: no channel is of use any more. */
  readonly isOver: () => boolean;
}

/** The worker's side: opens as many session channels as the master wants, and bulk channels when a file is to go. */
export class WorkerRoutes implements Routes {
  readonly #options: WorkerRoutesOptions;
  readonly isMux: boolean;
  readonly #sessions = new Map<string, FrameChannel>();
  /** Session channels, with the session that the master bound each to. */
  readonly #bound = new Map<FrameChannel, string | undefined>();
  readonly #bulk: (FrameChannel | 'opening' | undefined)[] = Array.from({ length: LIMITS.bulkChannels });
  readonly #transfers = new Map<string, number>();
  #opening = 0;
  #wanted = 0;

  constructor(options: WorkerRoutesOptions) {
    this.#options = options;
    this.isMux = options.control.subsystem === 'trunkline-mux';
  }

  /** The master's word: so many session channels are to be open in all. */
  want(count: number): void {
    if (this.isMux) return;
    this.#wanted = count;
    this.#openWanted();
  }

  channelOf(route: string): FrameChannel | undefined {
    if (route === '' || this.isMux) return this.#options.control;
    const [session = '', bulk] = route.split('/');
    if (bulk === undefined) return this.#sessions.get(session);
    const channel = this.#bulk[Number(bulk)];
    return channel === 'opening' ? undefined : channel;
  }

  /** Before the master has bound a session on this connection, nothing can be said about it: the inventory tells all. */
  routeOf<T extends MessageType>(type: T, session: string, fields: Fields<T>): string | undefined {
    if (session === '') return '';
    if (type === 'command.finished') this.#transfers.delete((fields as Fields<'command.finished'>).command);
    if (!this.#sessions.has(session)) return undefined;
    const transfer = transferOf(type, fields);
    if (transfer === undefined || this.isMux) return session;
    const known = this.#transfers.get(transfer);
    if (known !== undefined) return `${session}/${known}`;
    // Only these two begin a transfer; another frame of one whose channel was lost has no receiver.
    if (type !== 'file.pull' && type !== 'file.push') return undefined;
    const index = this.#leastBusy();
    this.#transfers.set(transfer, index);
    if (this.#bulk[index] === undefined) {
      this.#bulk[index] = 'opening';
      void this.#openBulk(index);
    }
    return `${session}/${index}`;
  }

  admit(from: FrameChannel, message: Message): boolean {
    checkKind(from, message);
    const { type, session } = message;
    if (this.isMux) {
      if (type === 'session.open') this.#sessions.set(session, from);
      return session === '' || this.#sessions.has(session);
    }
    if (from.subsystem !== 'trunkline-session') return true;
    const bound = this.#bound.get(from);
    if (bound === session) return true;
    if (bound !== undefined) {
      throw new ProtocolError('wrong-session', `${type} of session ${session} by the channel of ${bound}`);
    }
    if (type !== 'session.open') throw new ProtocolError('unexpected', `${type} before session.open`);
    this.#bound.set(from, session);
    this.#sessions.set(session, from);
    this.#options.opened(session);
    return true;
  }

  channelCount(): number {
    return 1 + this.#bound.size + this.#bulk.filter((channel) => channel instanceof Object).length;
  }

  #openWanted(): void {
    while (!this.#options.isOver() && this.#bound.size + this.#opening < this.#wanted) {
      this.#opening++;
      void this.#openSession();
    }
  }

  async #openSession(): Promise<void> {
    try {
      const channel = await this.#options.open('trunkline-session');
      this.#bound.set(channel, undefined);
      void channel.channel.closed.then(() => this.#gone(channel));
    } catch (error) {
      this.#options.failed('trunkline-session', error);
    } finally {
      this.#opening--;
    }
  }

  async #openBulk(index: number): Promise<void> {
    try {
      const channel = await this.#options.open('trunkline-bulk');
      this.#bulk[index] = channel;
      for (const session of this.#sessions.keys()) this.#options.opened(`${session}/${index}`);
      void channel.channel.closed.then(() => this.#bulkGone(index));
    } catch (error) {
      this.#bulkGone(index);
      this.#options.failed('trunkline-bulk', error);
    }
  }

  #gone(channel: FrameChannel): void {
    const session = this.#bound.get(channel);
    this.#bound.delete(channel);
    // The master may have said how many it wants before this end was seen here. When the whole line went, that is seen first.
    setImmediate(() => this.#openWanted());
    if (session === undefined || this.#sessions.get(session) !== channel) return;
    this.#sessions.delete(session);
    this.#options.lost(session);
  }

  #bulkGone(index: number): void {
    this.#bulk[index] = undefined;
    for (const [transfer, at] of this.#transfers) if (at === index) this.#transfers.delete(transfer);
    for (const session of this.#sessions.keys()) this.#options.lost(`${session}/${index}`);
  }

  #leastBusy(): number {
    const busy = Array.from(this.#bulk, () => 0);
    for (const at of this.#transfers.values()) busy[at] = (busy[at] ?? 0) + 1;
    return busy.indexOf(Math.min(...busy));
  }
}
