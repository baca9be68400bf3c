import { LIMITS } from '../protocol/limits.ts';
import type { Fields, Message, MessageType } from '../protocol/messages.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { FrameChannel } from './frame-channel.ts';
import { checkKind, transferOf } from './routes.ts';
import type { Routes } from './routes.ts';

/** Files under way of one worker, far more than it has builds. */
const MOST_TRANSFERS = 10_000;

export interface MasterRoutesOptions {
  readonly control: FrameChannel;
  /** Tells the worker how many session channels to hold open. */
  readonly want: (count: number) => void;
  /** A session has its channel. */
  readonly bound: (route: string) => void;
  /** A route's channel is gone. */
  readonly lost: (route: string) => void;
  readonly broken: (error: ProtocolError) => void;
}

/**
 * The master's side: it cannot open channels, so it asks for them and keeps a few in reserve. A session: unbound → waiting (no
 * spare was there) → bound → unbound when released. A worker that closes a session's channel breaks the rules.
 */
export class MasterRoutes implements Routes {
  readonly #options: MasterRoutesOptions;
  readonly isMux: boolean;
  /** undefined: waits for a channel. On mux: all lead to the one. */
  readonly #sessions = new Map<string, FrameChannel | undefined>();
  readonly #waiting = new Set<string>();
  readonly #bySession = new Map<FrameChannel, string>();
  readonly #spare = new Set<FrameChannel>();
  readonly #bulk: (FrameChannel | undefined)[] = Array.from({ length: LIMITS.bulkChannels });
  /** The bulk channel by which a transfer came: its answers go there. */
  readonly #transfers = new Map<string, number>();
  #mostWanted = 0;
  /** What the worker was told last. */
  #said = 0;

  constructor(options: MasterRoutesOptions) {
    this.#options = options;
    this.isMux = options.control.subsystem === 'trunkline-mux';
  }

  start(): void {
    this.#ask();
  }

  bind(session: string): void {
    if (this.#sessions.has(session)) return;
    if (this.isMux) {
      this.#sessions.set(session, this.#options.control);
      this.#options.bound(session);
      return;
    }
    this.#wait(session);
    this.#ask();
  }

  /** The session was bound and not released; its channel may still be on its way. */
  isBound(session: string): boolean {
    return this.#sessions.has(session);
  }

  release(session: string): void {
    const channel = this.#sessions.get(session);
    if (!this.#sessions.delete(session)) return;
    this.#waiting.delete(session);
    this.#options.lost(session);
    if (channel && !this.isMux) {
      this.#bySession.delete(channel);
      channel.channel.close();
    }
    this.#ask();
  }

  /** A channel that the worker opened. Throws when it has no place. */
  add(channel: FrameChannel): void {
    if (!this.isMux && channel.subsystem === 'trunkline-session') {
      if (this.#spare.size + this.#bySession.size >= this.#mostWanted + LIMITS.channelsSlack) {
        throw new ProtocolError('too-many-channels', `more than the ${this.#mostWanted} session channels asked for`);
      }
      this.#spare.add(channel);
      void channel.channel.closed.then(() => this.#gone(channel));
      this.#useSpares();
    } else if (!this.isMux && channel.subsystem === 'trunkline-bulk') {
      const index = this.#bulk.indexOf(undefined);
      if (index < 0) throw new ProtocolError('too-many-channels', `more than ${LIMITS.bulkChannels} bulk channels`);
      this.#bulk[index] = channel;
      void channel.channel.closed.then(() => this.#bulkGone(index));
    } else {
      throw new ProtocolError('unexpected', `a channel ${channel.subsystem} beside ${this.#options.control.subsystem}`);
    }
  }

  channelOf(route: string): FrameChannel | undefined {
    if (route === '' || this.isMux) return this.#options.control;
    const [session = '', bulk] = route.split('/');
    return bulk === undefined ? this.#sessions.get(session) : this.#bulk[Number(bulk)];
  }

  routeOf<T extends MessageType>(type: T, session: string, fields: Fields<T>): string | undefined {
    if (session === '') return '';
    if (!this.#sessions.has(session)) return undefined;
    const transfer = transferOf(type, fields);
    if (transfer === undefined || this.isMux) return session;
    const bulk = this.#transfers.get(transfer);
    return bulk === undefined ? undefined : `${session}/${bulk}`;
  }

  admit(from: FrameChannel, message: Message): boolean {
    checkKind(from, message);
    const { type, session } = message;
    if (type === 'command.finished') this.#transfers.delete(message.fields.command);
    if (from.subsystem === 'trunkline-bulk') {
      if (!this.#sessions.has(session)) return false;
      if (type === 'file.pull' || type === 'file.push') this.#begin(message.fields.command, this.#bulk.indexOf(from));
      return true;
    }
    if (from.subsystem === 'trunkline-session') {
      const bound = this.#bySession.get(from);
      if (bound === undefined && this.#spare.has(from)) {
        throw new ProtocolError('unexpected', `${type} by a channel that no session was given`);
      }
      if (bound !== undefined && bound !== session) {
        throw new ProtocolError('wrong-session', `${type} of session ${session} by the channel of ${bound}`);
      }
      return bound !== undefined;
    }
    return session === '' || this.#sessions.has(session);
  }

  channelCount(): number {
    return 1 + this.#spare.size + this.#bySession.size + this.#bulk.filter((channel) => channel).length;
  }

  /** Only these two begin a transfer; what comes after its end (a last acknowledgement) is not to be remembered. */
  #begin(transfer: string, bulk: number): void {
    if (this.#transfers.size >= MOST_TRANSFERS && !this.#transfers.has(transfer)) {
      throw new ProtocolError('unexpected', `more than ${MOST_TRANSFERS} transfers are begun and not finished`);
    }
    this.#transfers.set(transfer, bulk);
  }

  #wait(session: string): void {
    this.#sessions.set(session, undefined);
    this.#waiting.add(session);
    this.#useSpares();
  }

  #useSpares(): void {
    for (const session of this.#waiting) {
      const [spare] = this.#spare;
      if (!spare) return;
      this.#waiting.delete(session);
      this.#spare.delete(spare);
      this.#bySession.set(spare, session);
      this.#sessions.set(session, spare);
      this.#options.bound(session);
    }
  }

  #gone(channel: FrameChannel): void {
    this.#spare.delete(channel);
    const session = this.#bySession.get(channel);
    this.#bySession.delete(channel);
    if (session !== undefined && this.#sessions.get(session) === channel) {
      // When the whole line went, that is told first.
      setImmediate(() =>
        this.#options.broken(new ProtocolError('unexpected', `the worker closed the channel of session ${session}`)),
      );
    }
    this.#ask();
  }

  #bulkGone(index: number): void {
    this.#bulk[index] = undefined;
    for (const [transfer, at] of this.#transfers) if (at === index) this.#transfers.delete(transfer);
    for (const session of this.#sessions.keys()) this.#options.lost(`${session}/${index}`);
  }

  /** Said again although it did not change: a channel may have gone. A lower count keeps the worker from replacing it. */
  #ask(): void {
    if (this.isMux) return;
    const most = LIMITS.channelsPerConnection - 1 - LIMITS.bulkChannels - LIMITS.channelsSlack;
    const count = Math.min(most, this.#sessions.size + LIMITS.spareChannels);
    this.#mostWanted = Math.max(this.#mostWanted, count);
    if (count <= this.#spare.size + this.#bySession.size && count >= this.#said) return;
    this.#said = count;
    this.#options.want(count);
  }
}
