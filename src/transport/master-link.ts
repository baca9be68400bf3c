import { systemClock } from '../base/clock.ts';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Signal } from '../base/signal.ts';
import { CREDIT_WINDOWS, CreditGranter } from '../protocol/credit.ts';
import type { CreditPool, CreditWindows, Grant } from '../protocol/credit.ts';
import { LIMITS } from '../protocol/limits.ts';
import { MESSAGES } from '../protocol/messages.ts';
import type { Fields, Message, MessageType } from '../protocol/messages.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { chooseVersion } from '../protocol/version.ts';
import type { Carrier, Channel } from './carrier.ts';
import { FrameChannel } from './frame-channel.ts';
import { receiveHello, turnAway } from './greeting.ts';
import { DATA_BYTES, LinkCore } from './link-core.ts';
import { LinkRefused } from './link-refused.ts';
import type { LinkEnd, MasterLink, Vitals } from './link.ts';
import { MasterRoutes } from './master-routes.ts';

export interface Admission {
  readonly epoch: number;
  readonly masterId: string;
  /** Instead of what the options say. */
  readonly heartbeatMs?: number;
  readonly deadMs?: number;
}

export interface MasterLinkOptions {
  readonly clock?: Clock;
  readonly logger: Logger;
  /** Of the SSH login: the hello has to name the same. */
  readonly principalName: string;
  /** Shared by all links of the master. */
  readonly creditPool?: CreditPool;
  readonly creditWindows?: CreditWindows;
  /** Decides about the worker before it is welcomed. */
  readonly admit: (
    hello: Fields<'hello'>,
    carrier: Carrier,
  ) => Promise<Admission | { readonly goodbye: Fields<'goodbye'> }>;
  readonly heartbeatMs?: number;
  readonly deadMs?: number;
  readonly helloTimeoutMs?: number;
}

/**
 * Receives a worker over a carrier that is logged in: hello, admission, welcome. Rejects with a LinkRefused (its code tells
 * why: the worker was told, or the line went); the carrier is ended then.
 */
export async function openMasterLink(
  carrier: Carrier,
  options: MasterLinkOptions,
): Promise<{ readonly link: MasterLink; readonly hello: Fields<'hello'> }> {
  const clock = options.clock ?? systemClock;
  let adopt = (channel: Channel): void => channel.close();
  const { greeted, first } = receiveHello(carrier, {
    clock,
    timeoutMs: options.helloTimeoutMs ?? LIMITS.helloTimeoutMs,
    onChannel: (channel) => adopt(channel),
  });
  try {
    const { control, hello } = await greeted;
    const version = chooseVersion(hello.protocols);
    if ('goodbye' in version) throw refusal(version.goodbye);
    if (hello.worker !== options.principalName) {
      throw new ProtocolError(
        'wrong-name',
        `logged in as ${options.principalName}, but the hello says ${hello.worker}`,
      );
    }
    const admission = await options.admit(hello, carrier);
    if ('goodbye' in admission) throw refusal(admission.goodbye);
    const welcome = {
      protocol: version.protocol,
      epoch: admission.epoch,
      masterId: admission.masterId,
      timeMs: clock.now(),
      heartbeatMs: admission.heartbeatMs ?? options.heartbeatMs ?? LIMITS.heartbeatMs,
      deadMs: admission.deadMs ?? options.deadMs ?? LIMITS.deadMs,
    };
    control.sendNow('welcome', welcome);
    const link = new ServingLink(carrier, control, welcome, { ...options, clock });
    adopt = (channel) => link.adopt(channel);
    return { link, hello };
  } catch (error) {
    const goodbye = goodbyeOf(error);
    turnAway(carrier, first(), goodbye);
    throw error instanceof LinkRefused ? error : new LinkRefused(goodbye.code, errorText(error));
  }
}

class Refusal extends LinkRefused {
  readonly goodbye: Fields<'goodbye'>;

  constructor(goodbye: Fields<'goodbye'>) {
    super(goodbye.code, goodbye.message, goodbye.retryAfterMs);
    this.goodbye = goodbye;
  }
}

function refusal(goodbye: Fields<'goodbye'>): LinkRefused {
  return new Refusal(goodbye);
}

function goodbyeOf(error: unknown): Fields<'goodbye'> {
  if (error instanceof Refusal) return error.goodbye;
  const message = errorText(error).slice(0, 1_000);
  if (error instanceof ProtocolError || error instanceof LinkRefused) return { code: error.code, message };
  return { code: 'internal', message: 'the master failed to admit the worker; its log says more' };
}

class ServingLink implements MasterLink {
  readonly peer: string;
  readonly closed: Promise<LinkEnd>;
  readonly #clock: Clock;
  readonly #core: LinkCore;
  readonly #routes: MasterRoutes;
  readonly #granter: CreditGranter;
  readonly #room = new Signal<string>();
  readonly #starved = new Set<string>();
  #vitals: Vitals = {};

  constructor(
    carrier: Carrier,
    control: FrameChannel,
    welcome: Fields<'welcome'>,
    options: MasterLinkOptions & { readonly clock: Clock },
  ) {
    this.#clock = options.clock;
    this.#granter = new CreditGranter(options.creditWindows ?? windowsOf(control), options.creditPool);
    this.#routes = new MasterRoutes({
      control,
      want: (count) => this.#core.send('channels.want', '', { count }),
      bound: (route) => this.#core.writer.open(route),
      lost: (route) => this.#core.writer.drop(route),
      broken: (error) => this.#core.fail(error),
    });
    this.#core = new LinkCore({
      carrier,
      control,
      routes: this.#routes,
      clock: options.clock,
      logger: options.logger,
      heartbeatMs: welcome.heartbeatMs,
      deadMs: welcome.deadMs,
      pingFields: () => ({}),
      own: (message, wireBytes) => this.#own(message, wireBytes),
      wrote: () => this.#tellRoom(),
    });
    this.peer = this.#core.peer;
    this.closed = this.#core.closed;
    void this.closed.then(() => this.#granter.close());
    this.#grant(this.#granter.start());
    this.#routes.start();
    this.#core.listen(control);
  }

  /** A channel that the worker opened. */
  adopt(raw: Channel): void {
    const channel = new FrameChannel(raw, { from: 'worker' });
    if (this.#core.isOver) return raw.close();
    try {
      this.#core.listen(channel);
      this.#routes.add(channel);
    } catch (error) {
      raw.close();
      if (!(error instanceof ProtocolError)) throw error;
      this.#core.fail(error);
    }
  }

  send<T extends MessageType>(type: T, session: string, fields: Fields<T>): void {
    if (this.#core.isOver) return;
    this.#core.send(type, session, fields);
    if (type === 'session.open') this.#grant(this.#granter.open(session));
  }

  /** Logs come from workers. */
  sendChunk(): boolean {
    return false;
  }

  room(session: string, lane: 'log' | 'bulk'): number {
    const bytes = lane === 'bulk' ? this.#bulkRoom(session) : 0;
    if (bytes === 0 && lane === 'bulk') this.#starved.add(session);
    return bytes;
  }

  onRoom(listener: (session: string) => void): Cancel {
    return this.#room.on(listener);
  }

  onMessage(listener: (message: Message, wireBytes: number) => void): Cancel {
    return this.#core.onMessage(listener);
  }

  bindSession(session: string): void {
    if (!this.#core.isOver) this.#routes.bind(session);
  }

  releaseSession(session: string): void {
    if (!this.#core.isOver) this.#routes.release(session);
  }

  consumed(session: string, wireBytes: number): void {
    if (this.#core.isOver) return;
    for (const grant of this.#granter.consumed(session, wireBytes)) this.#grant(grant);
  }

  probe(timeoutMs: number): Promise<boolean> {
    if (this.#core.isOver) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (answer: boolean): void => {
        cancelTimer();
        cancelHeard();
        resolve(answer);
      };
      const cancelTimer = this.#clock.after(timeoutMs, () => settle(false));
      const cancelHeard = this.#core.onHeard(() => settle(true));
      void this.closed.then(() => settle(false));
      this.#core.pingNow();
    });
  }

  heardAtMs(): number {
    return this.#core.heardAtMs;
  }

  pingNow(): void {
    if (!this.#core.isOver) this.#core.pingNow();
  }

  vitals(): Vitals {
    return this.#vitals;
  }

  close(goodbye: Fields<'goodbye'>): void {
    this.#core.close(goodbye);
  }

  destroy(reason: string): void {
    this.#core.finish({ cause: 'closed', message: reason });
  }

  stats(): ReturnType<MasterLink['stats']> {
    return this.#core.stats();
  }

  #own(message: Message, wireBytes: number): boolean {
    const { type, session } = message;
    if (type === 'ping') {
      const { n: _n, ...vitals } = message.fields;
      this.#vitals = vitals;
      return true;
    }
    if (MESSAGES[type].lane === 'log') {
      this.#granter.received(session, wireBytes);
      // Nobody will deal with what comes for a session that was given up.
      if (!this.#routes.isBound(session)) this.consumed(session, wireBytes);
    }
    return false;
  }

  /** By the session's own channel, when it has one: there it comes after the session.open that it belongs to. */
  #grant({ session, total }: Grant): void {
    if (session !== '' && !this.#routes.isBound(session)) return;
    this.#core.send('credit', session, { total });
  }

  #bulkRoom(session: string): number {
    const routes = this.#routes.isMux
      ? [session]
      : Array.from({ length: LIMITS.bulkChannels }, (_, index) => `${session}/${index}`);
    return routes.every((route) => this.#core.writer.hasRoom(route, 'bulk')) ? DATA_BYTES : 0;
  }

  #tellRoom(): void {
    for (const session of this.#starved.size === 0 ? [] : Array.from(this.#starved)) {
      if (this.#bulkRoom(session) === 0) continue;
      this.#starved.delete(session);
      this.#room.emit(session);
    }
  }
}

/** On one channel, control stands behind what was sent before it: little may be under way. */
function windowsOf(control: FrameChannel): CreditWindows {
  if (control.subsystem !== 'trunkline-mux') return CREDIT_WINDOWS;
  const bytes = LIMITS.muxCreditBytes;
  return { sessionBytes: bytes, workerFirstBytes: bytes, workerMostBytes: bytes };
}
