import { decode, encode } from '../../src/protocol/codec.ts';
import { FRAME_HEAD_BYTES, FrameReader } from '../../src/protocol/frame.ts';
import { LIMITS } from '../../src/protocol/limits.ts';
import type { Fields, Message, MessageType } from '../../src/protocol/messages.ts';
import { ProtocolError } from '../../src/protocol/protocol-error.ts';
import type { Carrier, Channel } from '../../src/transport/carrier.ts';
import { Breach, shown } from './breach.ts';
import { Ledger } from './ledger.ts';
import type { Logs } from './logs.ts';
import { LOOK_MS, Patience } from './patience.ts';

export interface LineOptions {
  readonly logs: Logs;
  readonly patienceMs: number;
  /** Why nothing can come any more. */
  readonly whyGone: () => string | undefined;
}

/** A frame at its arrival. */
interface Heard {
  readonly message: Message;
  readonly from: Channel;
}

type Partly<T> = { readonly [K in keyof T]?: T[K] };

/**
 * One connection of the worker, frame by frame. It answers pings, stores and acknowledges output and gives credit back, each
 * until it is told not to; it sees every frame and holds it against the rules that always apply. All else is the case's.
 */
export class Line {
  readonly #carrier: Carrier;
  readonly #options: LineOptions;
  readonly #inbox: Message[] = [];
  readonly #came: string[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #readers = new Map<Channel, FrameReader>();
  /** Session channels that no session was bound to. */
  readonly #spare: Channel[] = [];
  /** Of sessions that were opened. */
  readonly #channels = new Map<string, Channel>();
  /** Sessions the worker says are closed, or could not be opened. */
  readonly #closed = new Set<string>();
  /** Channels by which transfers came. */
  readonly #files = new Map<string, Channel>();
  readonly ledger = new Ledger((session, total) => this.#tell(session, total));
  #control: Channel | undefined;
  #hello: Fields<'hello'> | undefined;
  #isWelcome = false;
  #breach: Breach | undefined;
  #isOver = false;
  #wanted = 0;
  /** Frames that tell of progress: life signs do not. */
  #heard = 0;
  /** Answers pings. */
  answersPings = true;
  /** Acknowledges output. */
  acknowledges = true;
  /** Gives credit back for what was dealt with. */
  givesCredit = true;

  constructor(carrier: Carrier, options: LineOptions) {
    this.#carrier = carrier;
    this.#options = options;
    carrier.onChannel((channel) => this.#adopt(channel));
    void carrier.closed.then(() => {
      this.#isOver = true;
      this.#wake();
    });
  }

  get hello(): Fields<'hello'> {
    if (!this.#hello) throw new Error('the hello was not waited for');
    return this.#hello;
  }

  get isGreeted(): boolean {
    return this.#hello !== undefined;
  }

  get isMux(): boolean {
    return this.#control?.subsystem === 'trunkline-mux';
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Session channels that are open. */
  get sessionChannels(): number {
    return this.#spare.length + this.#channels.size;
  }

  // ---- speaking

  send<T extends MessageType>(type: T, session: string, fields: Fields<T>): void {
    this.sendBytes(session, encode(type, session, fields));
  }

  sendBytes(session: string, bytes: Uint8Array): void {
    const channel = session === '' || this.isMux ? this.#control : this.#channels.get(session);
    if (!channel) throw new Error(`session ${session} has no channel`);
    channel.write(bytes);
  }

  welcome(more: Partly<Fields<'welcome'>> = {}): void {
    this.#isWelcome = true;
    const { heartbeatMs, deadMs } = LIMITS;
    const fields = { protocol: 1, epoch: 1, masterId: 'conformance', timeMs: Date.now(), heartbeatMs, deadMs };
    this.send('welcome', '', { ...fields, ...more });
    this.ledger.begin();
  }

  /** On the channel by which the transfer of this command came. */
  answerFile<T extends MessageType>(command: string, type: T, session: string, fields: Fields<T>): void {
    this.#files.get(command)?.write(encode(type, session, fields));
  }

  goodbye(code: string, retryAfterMs?: number): void {
    const more = retryAfterMs === undefined ? {} : { retryAfterMs };
    this.send('goodbye', '', { code, message: 'the case says so', ...more });
    this.#carrier.end('the case says so', 2_000);
  }

  /** Cuts the line without a word. */
  cut(): void {
    this.#isOver = true;
    this.#carrier.destroy('the case cuts the line');
  }

  /** Binds a channel and sends `session.open`. */
  async order(session: string, fence = 1, directory = session): Promise<void> {
    if (!this.isMux && !this.#channels.has(session)) {
      this.want(Math.max(this.#wanted, this.#channels.size + 1));
      const spare = await this.until(`a spare channel for session ${session}`, () => this.#spare.shift());
      this.#channels.set(session, spare);
    } else if (this.isMux && this.#control) {
      this.#channels.set(session, this.#control);
    }
    this.#closed.delete(session);
    this.send('session.open', session, { fence, project: 'p', builder: 'b', directory });
  }

  /** The same, until the worker has answered. */
  async open(session: string, fence = 1, directory = session): Promise<void> {
    await this.order(session, fence, directory);
    await this.expect('session.opened', session, { fence });
    this.ledger.open(session);
  }

  /** Closes the channel of a session, as a master does that has read `session.closed`; and says what it wants, as it has gone. */
  async release(session: string): Promise<void> {
    const channel = this.#channels.get(session);
    this.#channels.delete(session);
    if (this.isMux || !channel) return;
    channel.close();
    await channel.closed;
    this.want(this.#wanted);
  }

  want(count: number): void {
    this.#wanted = count;
    this.send('channels.want', '', { count });
  }

  // ---- listening

  /** The next message of this type, session and fields; others wait for their own `expect`. */
  async expect<T extends MessageType>(type: T, session = '', where: Partly<Fields<T>> = {}): Promise<Fields<T>> {
    const what = `${type}${session && ` of session ${session}`}${Object.keys(where).length > 0 ? ` with ${shown(where)}` : ''}`;
    return await this.until(what, () => this.take(type, session, where));
  }

  /** The same without waiting. */
  take<T extends MessageType>(type: T, session = '', where: Partly<Fields<T>> = {}): Fields<T> | undefined {
    const at = this.#inbox.findIndex(
      (message) =>
        message.type === type &&
        message.session === session &&
        Object.entries(where).every(
          ([key, value]) => JSON.stringify((message.fields as Record<string, unknown>)[key]) === JSON.stringify(value),
        ),
    );
    return at < 0 ? undefined : (this.#inbox.splice(at, 1)[0]?.fields as Fields<T>);
  }

  /** Until it answers something; fails with what came instead. */
  async until<T>(what: string, ask: () => T | undefined | false): Promise<T> {
    const patience = new Patience(this.#options.patienceMs, () => this.#heard);
    for (;;) {
      if (this.#breach) throw this.#breach;
      const answer = ask();
      if (answer !== undefined && answer !== false) return answer;
      const gone = this.#isOver ? 'the line ended' : this.#options.whyGone();
      if (gone !== undefined || patience.isOver()) {
        const why = gone ?? `nothing more within ${this.#options.patienceMs / 1_000} s`;
        throw new Breach(`expected ${what}, but ${why}; came ${this.#came.slice(-12).join(', ') || 'nothing'}`);
      }
      await this.#wait(LOOK_MS);
    }
  }

  /** So long nothing may come but pings; `what` names what is not expected. */
  async quiet(ms: number, what: string): Promise<void> {
    const before = this.#came.length;
    await this.quietly(ms);
    const came = this.#came.slice(before).filter((word) => !/^(ping|pong)/.test(word));
    if (came.length > 0) throw new Breach(`came ${came.slice(0, 5).join(', ')}, expected ${what}`);
  }

  /** Waits so long; a breach meanwhile is told. */
  async quietly(ms: number): Promise<void> {
    const end = performance.now() + ms;
    while (performance.now() < end) await this.#wait(end - performance.now());
    if (this.#breach) throw this.#breach;
  }

  /** The worker ends the line with a goodbye of this code. */
  async refused(code: string): Promise<void> {
    const { code: came } = await this.until(`a goodbye with ${code}`, () => this.take('goodbye'));
    if (came !== code) throw new Breach(`came a goodbye with ${came}, expected ${code}`);
  }

  async ended(what: string): Promise<void> {
    await this.until(`the end of the line ${what}`, () => this.#isOver || this.take('goodbye') !== undefined);
  }

  /** Everything that came, as words. */
  get came(): readonly string[] {
    return this.#came;
  }

  // ---- frames

  #adopt(channel: Channel): void {
    const isFirst = this.#control === undefined;
    if (isFirst) this.#control = channel;
    else if (channel.subsystem === 'trunkline-session') this.#spare.push(channel);
    else if (channel.subsystem !== 'trunkline-bulk')
      this.#broken(`a channel ${channel.subsystem} beside ${this.#control?.subsystem}`);
    this.#readers.set(channel, new FrameReader(isFirst ? LIMITS.frameBeforeHelloBytes : LIMITS.controlFrameBytes));
    channel.onData((bytes) => this.#read(channel, bytes));
    void channel.closed.then(() => this.#lost(channel));
    this.#wake();
  }

  #lost(channel: Channel): void {
    const spare = this.#spare.indexOf(channel);
    if (spare >= 0) this.#spare.splice(spare, 1);
    if (channel === this.#control) this.#isOver = true;
    for (const [session, own] of this.#channels) if (own === channel && !this.isMux) this.#channels.delete(session);
    this.#wake();
  }

  #read(channel: Channel, bytes: Uint8Array): void {
    if (this.#breach) return;
    try {
      for (const body of this.#readers.get(channel)?.feed(bytes) ?? []) {
        const message = decode(body, { from: 'worker' });
        if (!('unknown' in message)) this.#on({ message, from: channel }, body.byteLength + FRAME_HEAD_BYTES);
      }
    } catch (error) {
      if (error instanceof ProtocolError) this.#broken(`${error.code}: ${error.message}`);
      else if (error instanceof Breach) this.#breach = error;
      else throw error;
    }
    this.#wake();
  }

  #on({ message, from }: Heard, wireBytes: number): void {
    const { type, session } = message;
    if (type !== 'ping' && type !== 'pong') this.#heard++;
    this.#came.push(session ? `${type} of ${session}` : type);
    if (!this.#hello) {
      if (message.type !== 'hello') return this.#broken(`${type} before the hello`);
      this.#hello = message.fields;
      const reader = this.#readers.get(from);
      if (reader) reader.maxBodyBytes = LIMITS.controlFrameBytes;
      return undefined;
    }
    if (!this.#isWelcome) return this.#broken(`${type} before the welcome`);
    if (message.type === 'goodbye') return void this.#inbox.push(message);
    this.#checkChannel(message, from);
    switch (message.type) {
      case 'ping':
        if (this.answersPings) this.send('pong', '', { n: message.fields.n });
        break;
      case 'file.pull':
      case 'file.push':
        this.#files.set(message.fields.command, from);
        break;
      case 'session.closed':
      case 'session.failed':
        this.#closed.add(session);
        break;
      case 'log.append':
      case 'log.hole':
        this.#onLog(message, wireBytes);
        return undefined;
      default:
    }
    this.#inbox.push(structuredClone(message));
    return undefined;
  }

  #onLog(message: Message<'log.append'> | Message<'log.hole'>, wireBytes: number): void {
    const { session } = message;
    if (this.#closed.has(session)) return this.#broken(`${message.type} behind the session.closed of ${session}`);
    this.ledger.spend(session, wireBytes);
    const answer = this.#options.logs.take(message, wireBytes);
    if (!answer) return;
    const { command } = message.fields;
    if (this.givesCredit) this.ledger.giveBack(session, answer.wireBytes);
    if (answer.want !== undefined) this.send('log.want', session, { command, offset: answer.want });
    else if (answer.ack !== undefined && this.acknowledges) {
      this.send('log.ack', session, { command, offset: answer.ack });
    }
  }

  #checkChannel({ type, session }: Message, from: Channel): void {
    if (session !== '' && !this.#channels.has(session) && !this.#closed.has(session)) {
      return this.#broken(`${type} of session ${session}, which is not open on this connection`);
    }
    if (this.isMux || from.subsystem === 'trunkline-bulk') return;
    const own = session === '' ? this.#control : this.#channels.get(session);
    if (own && own !== from) this.#broken(`${type} of session "${session}" on another channel than its own`);
  }

  #tell(session: string, total: number): void {
    if (session === '' || this.#channels.has(session)) this.send('credit', session, { total });
  }

  #broken(what: string): void {
    this.#breach ??= new Breach(`a rule was broken: ${what}`);
    this.#wake();
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
    });
  }

  #wake(): void {
    for (const done of Array.from(this.#waiting)) done();
  }
}
