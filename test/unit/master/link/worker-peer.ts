import { createHash } from 'node:crypto';
import { silentLogger } from '../../../../src/base/logger.ts';
import type { Clock } from '../../../../src/base/clock.ts';
import type { OpenWorkerDesk } from '../../../../src/master/link/worker-desk.ts';
import { LIMITS } from '../../../../src/protocol/limits.ts';
import type { CommandState, Fields, Message, MessageType, Outcome } from '../../../../src/protocol/messages.ts';
import type { Link, Vitals } from '../../../../src/transport/link.ts';
import { memoryCarriers } from '../../../../src/transport/memory-carrier.ts';
import type { MemoryFaults } from '../../../../src/transport/memory-carrier.ts';
import { openWorkerLink } from '../../../../src/transport/worker-link.ts';
import { until } from '../../../support/until.ts';
import { HELLO } from '../../../support/hello.ts';

export interface PeerOptions {
  readonly clock: Clock;
  readonly name?: string;
  readonly installId?: string;
  readonly bootId?: string;
  readonly processId?: string;
  readonly host?: string;
  readonly folder?: string;
  readonly useMux?: boolean;
  readonly capabilities?: readonly string[];
  readonly vitals?: () => Vitals;
}

/** The worker's end of a real link, which does only what the test says. */
export class WorkerPeer {
  readonly link: Link;
  readonly faults: MemoryFaults;
  readonly welcome: Fields<'welcome'>;
  readonly received: Message[] = [];

  private constructor(link: Link, faults: MemoryFaults, welcome: Fields<'welcome'>) {
    this.link = link;
    this.welcome = welcome;
    this.faults = faults;
    // The bytes alias what was read.
    link.onMessage((message) => void this.received.push(structuredClone(message)));
  }

  /** Greets; the inventory is the test's next word. */
  static async greet(
    desk: OpenWorkerDesk,
    options: PeerOptions,
    { worker, master, faults } = memoryCarriers(),
  ): Promise<WorkerPeer> {
    const { clock, name = 'w', installId = 'install-1', bootId = 'boot-1', host = 'host-1', useMux = false } = options;
    const { processId = HELLO.processId, folder, capabilities = [], vitals } = options;
    desk.accept(name, master);
    const { link, welcome } = await openWorkerLink(worker, {
      hello: {
        ...HELLO,
        capabilities: [...capabilities],
        worker: name,
        installId,
        bootId,
        processId,
        host,
        facts: { os: 'test', ...(folder !== undefined && { folder }) },
      },
      clock,
      logger: silentLogger,
      useMux,
      ...(vitals && { vitals }),
    });
    return new WorkerPeer(link, faults, welcome);
  }

  /** Greets, tells what it holds, and has the answer. */
  static async connect(
    desk: OpenWorkerDesk,
    options: PeerOptions,
    inventory: Partial<Fields<'inventory'>> = {},
  ): Promise<WorkerPeer> {
    const peer = await WorkerPeer.greet(desk, options);
    peer.link.send('inventory', '', { sessions: [], commands: [], last: true, ...inventory });
    await peer.got('inventory.answer');
    return peer;
  }

  all<T extends MessageType>(type: T): readonly Message<T>[] {
    return this.received.filter(({ type: own }) => own === type) as unknown as Message<T>[];
  }

  /** The first message of the type (that the test wants) that came or comes. */
  got<T extends MessageType>(type: T, wants: (fields: Fields<T>) => boolean = () => true): Promise<Message<T>> {
    return until(`${type} comes`, () => this.all(type).find((message) => wants(message.fields as Fields<T>)));
  }

  async started(command: string): Promise<Message<'command.start'>> {
    const start = await this.got('command.start', (fields) => fields.command === command);
    this.link.send('command.started', start.session, { command, fence: start.fields.fence });
    return start;
  }

  /** Sends bytes from an offset of a command's output as one chunk. */
  async print(
    start: { readonly session: string; readonly fields: { readonly command: string; readonly fence?: number } },
    offset: number,
    output: Uint8Array,
  ): Promise<void> {
    const { session, fields } = start;
    const { command, fence = 1 } = fields;
    for (let position = 0; position < output.byteLength; position += 16_000) {
      await until('there is room for the log', () => this.link.room(session, 'log') >= 16_000);
      this.link.send('log.append', session, {
        command,
        fence,
        offset,
        length: output.byteLength,
        atMs: 5_000,
        lines: output.filter((byte) => byte === 10).length,
        codec: 'raw',
        size: output.byteLength,
        position,
        bytes: output.subarray(position, Math.min(position + 16_000, output.byteLength)),
      });
    }
  }

  finish(start: Message<'command.start'>, outputEnd: number, outcome: Partial<Outcome> = {}): void {
    const { command, fence } = start.fields;
    this.link.send('command.finished', start.session, {
      command,
      fence,
      outputEnd,
      outcome: { status: 'exited', exitCode: 0, startedAtMs: 1, endedAtMs: 2, ...outcome },
    });
  }

  /** Pushes a file's bytes from an offset on, heeding the window. */
  async pushFile(start: Message<'command.start'>, body: Uint8Array, from: number, to = body.byteLength): Promise<void> {
    const { session, fields } = start;
    const { command, fence } = fields;
    for (let offset = from; offset < to; offset += 16_000) {
      const end = Math.min(to, offset + 16_000);
      await until('the window is open', () => {
        const acks = this.all('file.ack').map((ack) => ack.fields.offset);
        return this.link.room(session, 'bulk') > 0 && end - Math.max(from, ...acks) <= LIMITS.transferWindowBytes;
      });
      this.link.send('file.data', session, { command, fence, offset, bytes: body.subarray(offset, end) });
    }
    if (to < body.byteLength) return;
    this.link.send('file.end', session, { command, fence, size: body.byteLength, sha256: sha256(body) });
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function held(start: Message<'command.start'>, state: Partial<CommandState> = {}): CommandState {
  const { command, fence } = start.fields;
  return { command, session: start.session, fence, state: 'running', outputStart: 0, outputEnd: 0, ...state };
}
