import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Packr } from 'msgpackr';
import { decode } from '../../src/protocol/codec.ts';
import { FrameReader, frame } from '../../src/protocol/frame.ts';
import { LIMITS } from '../../src/protocol/limits.ts';
import type { Fields, Message, MessageType } from '../../src/protocol/messages.ts';
import type { Carrier, Channel } from '../../src/transport/carrier.ts';
import { connectSsh } from '../../src/transport/ssh-client.ts';
import type { Farm } from './farm.ts';
import { HELLO } from './hello.ts';
import { until } from './until.ts';

const packer = new Packr({ useRecords: false });
/** What waits here for the master to read, before more is said. */
const QUEUED_MOST = 4 * 1024 * 1024;

type Subsystem = Channel['subsystem'];

let processes = 0;

/** A worker with a good key that says what a test lets it say, over a real connection, all on one channel if not told otherwise. */
export class HostileWorker {
  readonly carrier: Carrier;
  readonly heard: Message[] = [];
  readonly #channel: Channel;
  isOver = false;

  private constructor(carrier: Carrier, channel: Channel) {
    this.carrier = carrier;
    this.#channel = channel;
    this.#hear(channel);
    void carrier.closed.then(() => (this.isOver = true));
  }

  #hear(channel: Channel): void {
    const reader = new FrameReader(LIMITS.controlFrameBytes);
    channel.onData((bytes) => {
      for (const body of reader.feed(bytes)) {
        const message = decode(body, { from: 'master' });
        if (!('unknown' in message)) this.heard.push(structuredClone(message));
      }
    });
  }

  /** Logged in; its hello is the test's next word. Of `trunkline-control` the others are opened by `open`. */
  static async login(farm: Farm, name: string, first: Subsystem = 'trunkline-mux'): Promise<HostileWorker> {
    const carrier = await connectSsh({
      host: '127.0.0.1',
      port: farm.port,
      user: name,
      privateKey: await readFile(join(farm.workerDir(name), 'key'), 'utf8'),
      hostKeys: [await farm.hostKey()],
    });
    return new HostileWorker(carrier, await carrier.openChannel(first));
  }

  /** Has said hello and that it holds nothing. */
  static async attach(
    farm: Farm,
    name: string,
    hello: Partial<Fields<'hello'>> = {},
    first?: Subsystem,
  ): Promise<HostileWorker> {
    const worker = await HostileWorker.login(farm, name, first);
    // A process of its own each time: what one said of itself is not the next one's.
    const processId = `p${++processes}`;
    worker.say('hello', '', { ...HELLO, worker: name, processId, ...hello });
    await worker.hears('welcome');
    worker.say('inventory', '', { sessions: [], commands: [], last: true });
    await worker.hears('inventory.answer');
    return worker;
  }

  /** Takes the next command that the master gives it; it is its own to lie about. */
  async takeCommand(): Promise<Message<'command.start'>> {
    const opened = await this.hears('session.open');
    this.say('session.opened', opened.session, { fence: opened.fields.fence });
    const start = await this.hears('command.start');
    const { command, fence } = start.fields;
    this.say('command.started', start.session, { command, fence });
    return start;
  }

  /** One channel more, beside `trunkline-control`. */
  async open(subsystem: Subsystem): Promise<Channel> {
    const channel = await this.carrier.openChannel(subsystem);
    this.#hear(channel);
    return channel;
  }

  /** Any words, true or not, in a frame that is one. */
  say(type: string, session: string, fields: Readonly<Record<string, unknown>>, by?: Channel): void {
    this.write(frame(packer.pack([type, session, fields])), by);
  }

  write(bytes: Uint8Array, by = this.#channel): void {
    by.write(bytes);
  }

  /** The same again and again, at the pace at which the master reads, at most so often or until it has had enough. */
  async flood(most: number, say: (index: number) => void): Promise<number> {
    for (let index = 0; index < most; index++) {
      if (this.isOver) return index;
      say(index);
      if (index % 64 !== 0) continue;
      const hasRoom = (): boolean => this.carrier.queuedBytes() + this.#channel.queuedBytes() < QUEUED_MOST;
      if (hasRoom()) await new Promise((resolve) => setImmediate(resolve));
      else await until('there is room for more', () => this.isOver || hasRoom());
    }
    return most;
  }

  hears<T extends MessageType>(type: T): Promise<Message<T>> {
    return until(`it hears ${type}`, () => {
      const found = this.heard.find((message) => message.type === type);
      if (!found && this.isOver)
        throw new Error(`the connection ended before ${type}: ${JSON.stringify(this.heard.at(-1))}`);
      return found as Message<T> | undefined;
    });
  }

  /** Thrown out: resolves to the code of the goodbye, or `cut`. */
  async thrownOut(): Promise<string> {
    await until('it is thrown out', () => this.isOver);
    return this.goodbye()?.code ?? 'cut';
  }

  goodbye(): Fields<'goodbye'> | undefined {
    const found = this.heard.find(({ type }) => type === 'goodbye') as Message<'goodbye'> | undefined;
    return found?.fields;
  }

  leave(): void {
    this.carrier.destroy('the test is over');
  }
}
