import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { ChunkAssembler } from '../../../src/protocol/chunk-assembler.ts';
import type { Chunk } from '../../../src/protocol/chunk-assembler.ts';
import { LIMITS } from '../../../src/protocol/limits.ts';
import type { CommandSpec, Fields, Message, Outcome } from '../../../src/protocol/messages.ts';
import { receiveChunk, reviewCommand } from '../../../src/protocol/resume.ts';
import type { Carrier } from '../../../src/transport/carrier.ts';
import type { MasterLink } from '../../../src/transport/link.ts';
import { openMasterLink } from '../../../src/transport/master-link.ts';
import { memoryCarriers } from '../../../src/transport/memory-carrier.ts';
import type { MemoryFaults } from '../../../src/transport/memory-carrier.ts';
import { until } from '../../support/until.ts';

const inflate = promisify(gunzip);

interface Seat {
  readonly directory: string;
  fence: number;
  build?: number;
}

/** What the master knows of a command; `stored` is the log. */
export interface Ordered {
  readonly command: string;
  readonly session: string;
  readonly spec: CommandSpec;
  /** Told with the start and with the verdict. */
  leaseMs: number | undefined;
  readonly stored: Buffer[];
  storedEnd: number;
  wantedAt: number | undefined;
  isStarted: boolean;
  outcome: Outcome | undefined;
  outputEnd: number | undefined;
  isForgotten: boolean;
  /** get: what came; put: what is to be sent. */
  body: Buffer;
}

/** A small master in memory: real link, real rules of resuming, no database. It outlives its lines as a real one does. */
export class ScriptedMaster {
  readonly seats = new Map<string, Seat>();
  readonly orders = new Map<string, Ordered>();
  /** All that came, but for data. */
  readonly heard: Message[] = [];
  /** The last inventory, whole. */
  inventory: { sessions: unknown[]; commands: Fields<'inventory'>['commands'][number][] } | undefined;
  /** Hurts the newest line. */
  faults: MemoryFaults | undefined;
  link: MasterLink | undefined;
  lines = 0;
  /** So many chunks are thrown away as they come. */
  chunksToLose = 0;
  /** It does not answer `file.push`. */
  isDeaf = false;
  /** Between pings; the protocol's if not set. */
  heartbeatMs: number | undefined;
  /** Sent with each command. */
  masks: readonly Uint8Array[] | undefined;
  /** Sent right behind the answer to the next inventory. */
  behindAnswer: Fields<'lease'> | undefined;
  /** Called with each new line, to hurt it from the beginning. */
  onLine: (faults: MemoryFaults) => void = () => undefined;
  #isSettled = false;
  readonly #name: string;

  constructor(name = 'w') {
    this.#name = name;
  }

  /** For `openWorker`. */
  readonly connect = async (): Promise<Carrier> => {
    const { worker, master, faults } = memoryCarriers();
    this.faults = faults;
    this.onLine(faults);
    void this.accept(master);
    return await Promise.resolve(worker);
  };

  seat(session: string, directory: string, fence = 1, build?: number): void {
    this.seats.set(session, { directory, fence, ...(build !== undefined && { build }) });
    if (this.#isSettled) this.#openSeat(session);
  }

  order(
    command: string,
    session: string,
    spec: CommandSpec,
    body: Buffer = Buffer.alloc(0),
    leaseMs?: number,
  ): Ordered {
    const ordered: Ordered = {
      command,
      session,
      spec,
      leaseMs,
      stored: [],
      storedEnd: 0,
      wantedAt: undefined,
      isStarted: false,
      outcome: undefined,
      outputEnd: undefined,
      isForgotten: false,
      body,
    };
    this.orders.set(command, ordered);
    if (this.#isSettled) this.#start(ordered);
    return ordered;
  }

  run(
    command: string,
    session: string,
    shell: string,
    more: Partial<CommandSpec> & { readonly leaseMs?: number } = {},
  ): Ordered {
    const { leaseMs, ...spec } = more;
    return this.order(command, session, { kind: 'run', shell, ...spec }, undefined, leaseMs);
  }

  put(command: string, session: string, path: string, body: Buffer): Ordered {
    const sha256 = sha256Of(body);
    return this.order(command, session, { kind: 'put', path, size: body.byteLength, sha256, mode: 0o640 }, body);
  }

  /** Resolves when the outcome and all output are here. */
  async end(ordered: Ordered): Promise<Outcome> {
    await until(
      `${ordered.command} has ended`,
      () => ordered.outcome !== undefined && ordered.storedEnd >= (ordered.outputEnd ?? 0),
    );
    return ordered.outcome as Outcome;
  }

  forget(command: string): void {
    const ordered = this.orders.get(command);
    if (!ordered) return;
    ordered.isForgotten = true;
    this.link?.send('command.forget', ordered.session, { command });
  }

  log(ordered: Ordered): Buffer {
    return Buffer.concat(ordered.stored);
  }

  heardOf<T extends Message['type']>(type: T): Fields<T>[] {
    return this.heard.filter((message) => message.type === type).map((message) => message.fields as Fields<T>);
  }

  /** The master's end of a new line. */
  async accept(carrier: Carrier): Promise<void> {
    this.lines++;
    try {
      const { link } = await openMasterLink(carrier, {
        clock: systemClock,
        logger: silentLogger,
        principalName: this.#name,
        ...(this.heartbeatMs === undefined ? {} : { heartbeatMs: this.heartbeatMs }),
        admit: async () => await Promise.resolve({ epoch: this.lines, masterId: 'master' }),
      });
      this.link = link;
      this.#isSettled = false;
      const session = new Session(this, link, () => {
        if (this.link === link) this.#settle();
      });
      session.listen();
    } catch {
      // A line that was cut in the greeting: the worker comes again.
    }
  }

  #settle(): void {
    for (const session of this.seats.keys()) this.#openSeat(session);
    this.#isSettled = true;
    const held = new Set(this.inventory?.commands.map(({ command }) => command));
    for (const ordered of this.orders.values()) {
      if (!held.has(ordered.command) && !ordered.outcome && !ordered.isForgotten) this.#start(ordered);
    }
  }

  #openSeat(session: string): void {
    const { directory, ...owner } = this.seats.get(session) as Seat;
    this.link?.bindSession(session);
    this.link?.send('session.open', session, { ...owner, project: 'p', builder: 'b', directory });
  }

  #start({ command, session, spec, leaseMs }: Ordered): void {
    const fence = this.seats.get(session)?.fence ?? 1;
    const given = { ...(leaseMs !== undefined && { leaseMs }), ...(this.masks && { masks: this.masks }) };
    this.link?.send('command.start', session, { command, fence, spec, ...given });
  }
}

/** One line of the master. */
class Session {
  readonly #master: ScriptedMaster;
  readonly #link: MasterLink;
  readonly #onSettled: () => void;
  readonly #assemblers = new Map<string, ChunkAssembler>();
  readonly #inventory: NonNullable<ScriptedMaster['inventory']> = { sessions: [], commands: [] };
  /** Sent of a put, and acknowledged. */
  readonly #sending = new Map<string, { at: number; acked: number }>();
  #storing: Promise<void> = Promise.resolve();

  constructor(master: ScriptedMaster, link: MasterLink, onSettled: () => void) {
    this.#master = master;
    this.#link = link;
    this.#onSettled = onSettled;
  }

  listen(): void {
    for (const ordered of this.#master.orders.values()) ordered.wantedAt = undefined;
    this.#link.onMessage((message, wireBytes) => this.#on(message, wireBytes));
    this.#link.onRoom(() => this.#sendAll());
  }

  #on(message: Message, wireBytes: number): void {
    const { session } = message;
    if (message.type !== 'log.append' && message.type !== 'file.data') this.#master.heard.push(message);
    const ordered = 'command' in message.fields ? this.#master.orders.get(message.fields.command) : undefined;
    switch (message.type) {
      case 'inventory':
        return this.#onInventory(message.fields);
      case 'command.started':
        if (ordered) ordered.isStarted = true;
        return undefined;
      case 'command.finished':
        if (ordered) Object.assign(ordered, { outcome: message.fields.outcome, outputEnd: message.fields.outputEnd });
        return undefined;
      case 'log.append':
        return this.#onLog(session, message.fields, wireBytes);
      case 'log.hole':
        throw new Error(`a hole at ${message.fields.offset}`);
      case 'file.pull':
        if (ordered) this.#sending.set(ordered.command, { at: message.fields.offset, acked: message.fields.offset });
        return this.#sendAll();
      case 'file.ack': {
        const sending = this.#sending.get(message.fields.command);
        if (sending) sending.acked = message.fields.offset;
        return this.#sendAll();
      }
      case 'file.push':
        if (ordered && !this.#master.isDeaf)
          this.#link.send('file.want', session, { command: ordered.command, offset: ordered.body.byteLength });
        return undefined;
      case 'file.data':
        if (!ordered || message.fields.offset !== ordered.body.byteLength) return undefined;
        ordered.body = Buffer.concat([ordered.body, message.fields.bytes]);
        return this.#link.send('file.ack', session, { command: ordered.command, offset: ordered.body.byteLength });
      case 'file.end':
        if (!ordered) return undefined;
        if (sha256Of(ordered.body) !== message.fields.sha256) throw new Error('the hash of a file is wrong');
        return this.#link.send('file.stored', session, { command: ordered.command });
      default:
        return undefined;
    }
  }

  #onInventory({ sessions, commands, last }: Fields<'inventory'>): void {
    this.#inventory.sessions.push(...sessions);
    this.#inventory.commands.push(...commands);
    if (!last) return;
    const { orders, seats } = this.#master;
    this.#master.inventory = this.#inventory;
    const verdicts = this.#inventory.commands.map((state) => {
      const known = orders.get(state.command);
      const stored = known && {
        isKnown: !known.isForgotten,
        fence: seats.get(known.session)?.fence ?? 1,
        storedEnd: known.storedEnd,
        isFinished: false,
      };
      const review = reviewCommand(stored, state);
      if (review.action === 'raise-fence') throw new Error('the worker has seen a later fence');
      return known?.leaseMs === undefined ? review.verdict : { ...review.verdict, leaseMs: known.leaseMs };
    });
    this.#link.send('inventory.answer', '', { sessions: [], commands: verdicts, last: true });
    if (this.#master.behindAnswer) this.#link.send('lease', '', this.#master.behindAnswer);
    this.#master.behindAnswer = undefined;
    this.#onSettled();
  }

  #onLog(session: string, fields: Fields<'log.append'>, wireBytes: number): void {
    const assembler = this.#assemblers.get(session) ?? new ChunkAssembler();
    this.#assemblers.set(session, assembler);
    const chunk = assembler.add(fields, wireBytes);
    if (chunk) this.#storing = this.#storing.then(() => this.#store(session, chunk));
  }

  async #store(session: string, chunk: Chunk): Promise<void> {
    const { command } = chunk;
    const ordered = this.#master.orders.get(command);
    this.#link.consumed(session, chunk.wireBytes);
    // A line that ended stores nothing more: another one has begun.
    if (!ordered || this.#master.link !== this.#link) return;
    if (this.#master.chunksToLose-- > 0) return;
    const answer = receiveChunk(ordered, chunk);
    if (answer.action === 'store') {
      const bytes = chunk.codec === 'gzip' ? await inflate(chunk.body) : Buffer.from(chunk.body);
      if (bytes.byteLength !== chunk.length) throw new Error('a chunk has another length than it says');
      if (this.#master.link !== this.#link) return;
      ordered.stored.push(bytes);
      ordered.storedEnd += bytes.byteLength;
      this.#link.send('log.ack', session, { command, offset: ordered.storedEnd });
    } else if (answer.action === 'known') {
      this.#link.send('log.ack', session, { command, offset: answer.ack });
    } else if (answer.action === 'want') {
      ordered.wantedAt = answer.offset;
      this.#link.send('log.want', session, { command, offset: answer.offset });
    }
  }

  #sendAll(): void {
    for (const [command, sending] of this.#sending) {
      const { body, session } = this.#master.orders.get(command) as Ordered;
      const fence = this.#master.seats.get(session)?.fence ?? 1;
      while (sending.at < body.byteLength && sending.at < sending.acked + LIMITS.transferWindowBytes) {
        const room = Math.min(
          this.#link.room(session, 'bulk'),
          sending.acked + LIMITS.transferWindowBytes - sending.at,
        );
        if (room <= 0) break;
        const bytes = body.subarray(sending.at, sending.at + room);
        this.#link.send('file.data', session, { command, fence, offset: sending.at, bytes });
        sending.at += bytes.byteLength;
      }
    }
  }
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
