import { systemClock } from '../base/clock.ts';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { momentOf } from '../base/moment.ts';
import type { Moment } from '../base/moment.ts';
import { Signal } from '../base/signal.ts';
import { CreditAccount } from '../protocol/credit.ts';
import { encode } from '../protocol/codec.ts';
import { Fifo } from '../protocol/fifo.ts';
import { LIMITS } from '../protocol/limits.ts';
import { MESSAGES } from '../protocol/messages.ts';
import type { Fields, Message, MessageType } from '../protocol/messages.ts';
import type { Carrier } from './carrier.ts';
import { FrameChannel } from './frame-channel.ts';
import { greetMaster } from './greeting.ts';
import { DATA_BYTES, HEAD_BYTES, LinkCore } from './link-core.ts';
import type { ChunkHead, Link, LinkEnd, Vitals } from './link.ts';
import { WorkerRoutes } from './worker-routes.ts';

export interface WorkerLinkOptions {
  readonly hello: Fields<'hello'>;
  readonly clock?: Clock;
  readonly logger: Logger;
  /** All on one channel, as over `ssh -s … trunkline-mux`. */
  readonly useMux?: boolean;
  /** Told with each ping. */
  readonly vitals?: () => Vitals;
  /** The master has answered what was sent at that moment: the hello, then each ping. The next one follows within `pingMs`. */
  readonly seen?: (sentAt: Moment, pingMs: number) => void;
  readonly helloTimeoutMs?: number;
}

/**
 * Greets the master over a carrier that is logged in. Rejects with a LinkRefused that has the goodbye's code, `hello-timeout`
 * or `lost`; the carrier is ended then.
 */
export async function openWorkerLink(
  carrier: Carrier,
  options: WorkerLinkOptions,
): Promise<{ readonly link: Link; readonly welcome: Fields<'welcome'> }> {
  const clock = options.clock ?? systemClock;
  const greetedAt = momentOf(clock);
  const { control, welcome } = await greetMaster(carrier, {
    hello: options.hello,
    clock,
    subsystem: options.useMux ? 'trunkline-mux' : 'trunkline-control',
    timeoutMs: options.helloTimeoutMs ?? LIMITS.helloTimeoutMs,
  });
  options.seen?.(greetedAt, welcome.heartbeatMs);
  const link = new WorkerLink(carrier, control, welcome, { ...options, clock });
  return { link, welcome };
}

/** What is left of the credit must hold a payload of at least this, else many small frames would crawl along its edge. */
const LEAST_ROOM = 1_024;

class WorkerLink implements Link {
  readonly peer: string;
  readonly closed: Promise<LinkEnd>;
  readonly #core: LinkCore;
  readonly #routes: WorkerRoutes;
  readonly #credit = new CreditAccount();
  readonly #room = new Signal<string>();
  /** Sessions that were told to wait, the one that waits longest first. */
  readonly #starved = { log: new Set<string>(), bulk: new Set<string>() };
  /** The fence that each session was opened with last; a session that we said is closed is in `#ended`. */
  readonly #fences = new Map<string, number>();
  readonly #ended = new Set<string>();
  /** Frames of the log lane that were sent without looking for room. */
  readonly #unpaid = new Map<string, Fifo<{ readonly type: MessageType; readonly frame: Uint8Array }>>();

  constructor(
    carrier: Carrier,
    control: FrameChannel,
    welcome: Fields<'welcome'>,
    options: WorkerLinkOptions & { readonly clock: Clock },
  ) {
    const { logger } = options;
    this.#routes = new WorkerRoutes({
      control,
      open: async (subsystem) => {
        const channel = new FrameChannel(await carrier.openChannel(subsystem), { from: 'master' });
        this.#core.listen(channel);
        return channel;
      },
      opened: (route) => this.#core.writer.open(route),
      lost: (route) => this.#core.writer.drop(route),
      isOver: () => this.#core.isOver,
      failed: (subsystem, error) => {
        if (!this.#core.isOver) logger.warn(`no channel ${subsystem}`, { peer: carrier.peer, error: errorText(error) });
      },
    });
    this.#core = new LinkCore({
      carrier,
      control,
      routes: this.#routes,
      clock: options.clock,
      logger,
      heartbeatMs: welcome.heartbeatMs,
      deadMs: welcome.deadMs,
      pingFields: options.vitals ?? (() => ({})),
      own: (message) => this.#own(message),
      answered: (sentAt) => options.seen?.(sentAt, welcome.heartbeatMs),
      wrote: () => this.#tellRoom(),
    });
    this.peer = this.#core.peer;
    this.closed = this.#core.closed;
    this.#core.listen(control);
  }

  send<T extends MessageType>(type: T, session: string, fields: Fields<T>): void {
    if (this.#core.isOver) return;
    if (type === 'session.closed' || type === 'session.failed') {
      return this.#endSession(type, session, fields as Fields<'session.closed' | 'session.failed'>);
    }
    if (MESSAGES[type].lane !== 'log') return this.#core.send(type, session, fields);
    const route = this.#routes.routeOf(type, session, fields);
    if (route === undefined || this.#ended.has(session)) return;
    const frame = encode(type, session, fields);
    const unpaid = this.#unpaid.get(session);
    if (unpaid || !this.#credit.spend(session, frame.byteLength)) {
      const waiting = unpaid ?? new Fifo();
      waiting.push({ type, frame });
      this.#unpaid.set(session, waiting);
      return;
    }
    this.#core.sendFrame(type, route, frame);
  }

  room(session: string, lane: 'log' | 'bulk'): number {
    const bytes = this.#roomNow(session, lane);
    if (bytes === 0) this.#starved[lane].add(session);
    return bytes;
  }

  sendChunk(session: string, head: ChunkHead, body: Uint8Array): boolean {
    const frames = Math.ceil(body.byteLength / DATA_BYTES);
    const isRoom = this.#roomNow(session, 'log') > 0;
    if (!isRoom || this.#credit.available(session) < body.byteLength + frames * HEAD_BYTES) {
      this.#starved.log.add(session);
      return false;
    }
    for (let position = 0; position < body.byteLength; position += DATA_BYTES) {
      const bytes = body.subarray(position, position + DATA_BYTES);
      this.send('log.append', session, { ...head, size: body.byteLength, position, bytes });
    }
    return true;
  }

  onRoom(listener: (session: string) => void): Cancel {
    return this.#room.on(listener);
  }

  onMessage(listener: (message: Message, wireBytes: number) => void): Cancel {
    return this.#core.onMessage(listener);
  }

  /** The master binds sessions. */
  bindSession(): void {}

  releaseSession(): void {}

  /** The master alone grants credit. */
  consumed(): void {}

  pingNow(): void {
    if (!this.#core.isOver) this.#core.pingNow();
  }

  close(goodbye: Fields<'goodbye'>): void {
    this.#core.close(goodbye);
  }

  destroy(reason: string): void {
    this.#core.finish({ cause: 'closed', message: reason });
  }

  stats(): ReturnType<Link['stats']> {
    return this.#core.stats();
  }

  #own(message: Message): boolean {
    switch (message.type) {
      case 'credit':
        this.#credit.grant({ session: message.session, total: message.fields.total });
        this.#payOff();
        this.#tellRoom();
        return true;
      case 'channels.want':
        this.#routes.want(message.fields.count);
        return true;
      case 'ping':
        return true;
      case 'session.open':
        this.#fences.set(message.session, message.fields.fence);
        this.#ended.delete(message.session);
        // It was told to wait for this, perhaps.
        if (this.#starved.log.size + this.#starved.bulk.size > 0) setImmediate(() => this.#tellRoom());
        return false;
      default:
        return false;
    }
  }

  /**
   * Behind the logs that were sent before it: the master closes the channel when it reads this, and what was still on the way
   * would have spent credit that nobody gives back. Nothing of the session is sent after it, until it is opened again.
   */
  #endSession(
    type: 'session.closed' | 'session.failed',
    session: string,
    fields: Fields<'session.closed' | 'session.failed'>,
  ): void {
    const route = this.#routes.routeOf(type, session, fields);
    if (route === undefined) return;
    // Of an owner before the present one: the master passes over it, and the session goes on.
    if (fields.fence >= (this.#fences.get(session) ?? 0)) {
      this.#ended.add(session);
      this.#unpaid.delete(session);
    }
    this.#core.writer.send('log', route, encode(type, session, fields));
  }

  #roomNow(session: string, lane: 'log' | 'bulk'): number {
    if (this.#core.isOver || this.#ended.has(session) || !this.#routes.channelOf(session)) return 0;
    if (lane === 'bulk') return this.#hasBulkRoom(session) ? DATA_BYTES : 0;
    if (this.#unpaid.has(session) || !this.#core.writer.hasRoom(session, 'log')) return 0;
    const bytes = Math.min(DATA_BYTES, this.#credit.available(session) - HEAD_BYTES);
    return bytes < LEAST_ROOM ? 0 : bytes;
  }

  #hasBulkRoom(session: string): boolean {
    const { writer } = this.#core;
    if (this.#routes.isMux) return writer.hasRoom(session, 'bulk');
    return Array.from({ length: LIMITS.bulkChannels }, (_, index) => `${session}/${index}`).every((route) =>
      writer.hasRoom(route, 'bulk'),
    );
  }

  #payOff(): void {
    for (const [session, frames] of this.#unpaid) {
      if (!this.#routes.channelOf(session)) {
        // Its channel went: what is not sent is not paid for.
        this.#unpaid.delete(session);
        continue;
      }
      for (let next = frames.peek(); next; next = frames.peek()) {
        if (!this.#credit.spend(session, next.frame.byteLength)) break;
        frames.shift();
        this.#core.sendFrame(next.type, session, next.frame);
      }
      if (!frames.peek()) this.#unpaid.delete(session);
    }
  }

  #tellRoom(): void {
    for (const lane of ['log', 'bulk'] as const) {
      const starved = this.#starved[lane];
      for (const session of starved.size === 0 ? [] : Array.from(starved)) {
        if (this.#roomNow(session, lane) === 0) continue;
        starved.delete(session);
        this.#room.emit(session);
      }
    }
  }
}
