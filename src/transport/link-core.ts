import type { Cancel, Clock } from '../base/clock.ts';
import { deferred } from '../base/deferred.ts';
import type { Logger } from '../base/logger.ts';
import type { Moment } from '../base/moment.ts';
import { Signal } from '../base/signal.ts';
import { encode } from '../protocol/codec.ts';
import { LIMITS } from '../protocol/limits.ts';
import { MESSAGES } from '../protocol/messages.ts';
import type { Fields, Message, MessageType } from '../protocol/messages.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { Carrier } from './carrier.ts';
import type { FrameChannel, FrameHandler } from './frame-channel.ts';
import type { LinkEnd } from './link.ts';
import { LinkWriter } from './link-writer.ts';
import { Liveness } from './liveness.ts';
import type { Routes } from './routes.ts';

export interface LinkCoreOptions {
  readonly carrier: Carrier;
  /** The control or mux channel, after the greeting. */
  readonly control: FrameChannel;
  readonly routes: Routes;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly heartbeatMs: number;
  readonly deadMs: number;
  readonly pingFields: () => Omit<Fields<'ping'>, 'n'>;
  /** Messages of the link itself: true when it was one. Throws a ProtocolError for one that may not be. */
  readonly own: (message: Message, wireBytes: number) => boolean;
  /** The peer answered a ping that was sent at that moment. */
  readonly answered?: (sentAt: Moment) => void;
  /** Frames went out: there may be room. */
  readonly wrote: () => void;
}

/** Time for a goodbye to go out. */
const GOODBYE_MS = 2_000;
/** Payload of a data frame, and what its head may take beside it. */
export const DATA_BYTES = LIMITS.dataPayloadBytes;
export const HEAD_BYTES = LIMITS.dataFrameBytes - LIMITS.dataPayloadBytes;

/**
 * What both ends of a link have in common: messages out through the fair writer, messages in from all channels, liveness and
 * the end. A link ends once: by a goodbye, by silence, with its carrier, by a broken rule, or by us.
 */
export class LinkCore {
  readonly peer: string;
  readonly closed: Promise<LinkEnd>;
  readonly writer: LinkWriter;
  readonly #options: LinkCoreOptions;
  readonly #liveness: Liveness;
  readonly #ended = deferred<LinkEnd>();
  readonly #messages = new Signal<readonly [Message, number]>();
  readonly #heard = new Signal();
  /** What came before the first listener. */
  #early: (readonly [Message, number])[] | undefined = [];
  #isOver = false;
  #receivedBytes = 0;

  constructor(options: LinkCoreOptions) {
    const { carrier, routes, clock } = options;
    this.#options = options;
    this.peer = carrier.peer;
    this.closed = this.#ended.promise;
    this.writer = new LinkWriter({
      carrier,
      channelOf: (route) => routes.channelOf(route)?.channel,
      wrote: options.wrote,
      stuck: (bytes) =>
        this.finish({ cause: 'protocol', message: `the peer does not read: ${bytes} bytes wait for it` }),
    });
    this.#liveness = new Liveness({
      clock,
      heartbeatMs: options.heartbeatMs,
      deadMs: options.deadMs,
      ping: (n) => this.send('ping', '', { n, ...options.pingFields() }),
      dead: (silentMs) => this.finish({ cause: 'dead', message: `no byte came for ${Math.round(silentMs / 1000)} s` }),
    });
    void carrier.closed.then((message) => this.finish({ cause: 'lost', message }));
    void options.control.channel.closed.then(() =>
      // When the whole line went, its own reason comes first.
      setImmediate(() => this.finish({ cause: 'lost', message: 'the peer closed the control channel' })),
    );
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Reads a channel, from now on for this link. */
  listen(channel: FrameChannel): void {
    channel.heard = (bytes) => {
      this.#receivedBytes += bytes;
      this.#liveness.heard();
      if (this.#heard.size > 0) this.#heard.emit();
    };
    const handler: FrameHandler = {
      message: (message, wireBytes) => this.#receive(channel, message, wireBytes),
      broken: (error) => this.fail(error),
    };
    channel.handle(handler);
  }

  send<T extends MessageType>(type: T, session: string, fields: Fields<T>): void {
    const route = this.#options.routes.routeOf(type, session, fields);
    if (route !== undefined) this.sendFrame(type, route, encode(type, session, fields));
  }

  sendFrame(type: MessageType, route: string, frame: Uint8Array): void {
    this.writer.send(MESSAGES[type].lane, route, frame);
  }

  onMessage(listener: (message: Message, wireBytes: number) => void): Cancel {
    const cancel = this.#messages.on(([message, wireBytes]) => listener(message, wireBytes));
    // Not before the caller has its way to cancel.
    queueMicrotask(() => this.#deliverEarly());
    return cancel;
  }

  /** Any byte of the peer. */
  onHeard(listener: () => void): Cancel {
    return this.#heard.on(listener);
  }

  get heardAtMs(): number {
    return this.#liveness.heardAtMs;
  }

  pingNow(): void {
    this.#liveness.pingNow();
  }

  close(goodbye: Fields<'goodbye'>): void {
    if (this.#isOver) return;
    this.#options.control.sendNow('goodbye', goodbye);
    this.finish({ cause: 'closed', message: goodbye.message }, GOODBYE_MS);
  }

  /** The peer broke a rule: tell it which. */
  fail(error: ProtocolError): void {
    if (this.#isOver) return;
    const message = error.message.slice(0, 1_000);
    this.#options.logger.warn('the peer broke the protocol', { peer: this.peer, code: error.code, error: message });
    this.#options.control.sendNow('goodbye', { code: error.code, message });
    this.finish({ cause: 'protocol', message, code: error.code }, GOODBYE_MS);
  }

  /** Ends all of it, at once or after `graceMs` for what is queued in the socket. */
  finish(end: LinkEnd, graceMs = 0): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#liveness.stop();
    this.writer.stop();
    this.#early = undefined;
    if (graceMs > 0) this.#options.carrier.end(end.message, graceMs);
    else this.#options.carrier.destroy(end.message);
    this.#ended.resolve(end);
  }

  stats(): { readonly channels: number; readonly sentBytes: number; readonly receivedBytes: number } {
    return {
      channels: this.#options.routes.channelCount(),
      sentBytes: this.writer.sentBytes,
      receivedBytes: this.#receivedBytes,
    };
  }

  #deliverEarly(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const entry of early) {
      try {
        this.#messages.emit(entry);
      } catch (error) {
        this.#fault(entry[0].type, error);
      }
    }
  }

  #receive(from: FrameChannel, message: Message, wireBytes: number): void {
    if (this.#isOver) return;
    try {
      const isKnown = this.#options.routes.admit(from, message);
      if (this.#isLink(message) || this.#options.own(message, wireBytes) || !isKnown) return;
      // The bytes of an early message alias what was read; it is kept longer than that.
      if (this.#early) this.#early.push([structuredClone(message), wireBytes]);
      else this.#messages.emit([message, wireBytes]);
    } catch (error) {
      if (error instanceof ProtocolError) return this.fail(error);
      this.#fault(message.type, error);
    }
  }

  /** A fault of our own while dealing with a message ends this link, not the process. */
  #fault(what: string, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.logger.error('a message could not be dealt with', { peer: this.peer, type: what, error: text });
    this.close({ code: 'internal', message: `failed over ${what}; the log here says more` });
  }

  #answered(n: number): void {
    const ping = this.#liveness.answered(n);
    if (!ping) return;
    const { roundTripMs, sentAt } = ping;
    this.#options.logger.debug('the peer answered a ping', { peer: this.peer, roundTripMs });
    this.#options.answered?.(sentAt);
  }

  #isLink(message: Message): boolean {
    switch (message.type) {
      case 'ping':
        this.send('pong', '', { n: message.fields.n });
        // Vitals are for the master's end.
        return false;
      case 'pong':
        this.#answered(message.fields.n);
        return true;
      case 'goodbye': {
        const { code, message: text, retryAfterMs } = message.fields;
        const retry = retryAfterMs === undefined ? {} : { retryAfterMs };
        this.finish({ cause: 'goodbye', message: text, code, ...retry }, GOODBYE_MS);
        return true;
      }
      case 'hello':
      case 'welcome':
        throw new ProtocolError('unexpected', `a second ${message.type}`);
      default:
        return false;
    }
  }
}
