import { errorText } from '../../base/errors.ts';
import { Disposer } from '../../base/disposer.ts';
import type { CommandVerdict, Fields, Message, MessageType } from '../../protocol/messages.ts';
import type { Link } from '../../transport/link.ts';
import { isQuick } from '../commands/commands.ts';
import type { HeldSession } from '../session-book.ts';
import { sessionFolder } from '../session-folder.ts';
import { inventoryOf } from './inventory.ts';
import { Streams } from './streams.ts';
import type { WorkerParts } from './worker-parts.ts';

/** Orders that were not carried out yet; a master that sends more does not wait for answers. */
const MAX_WAITING_ORDERS = 20_000;
const MAX_MESSAGE = 1_000;

/**
 * The worker's side of one link, after the welcome: tells what the worker holds, does what the master says, and sends what it
 * waits for. States of a command here: held → `continue` and its session open (in either order) → streaming → forgotten.
 */
export class Attachment {
  readonly #parts: WorkerParts;
  readonly #link: Link;
  readonly #others: (message: Message) => void;
  readonly #streams: Streams;
  readonly #undo = new Disposer();
  /** Sessions that the master opened on this link: only they have a channel. */
  readonly #open = new Set<string>();
  /** Why the others could not be opened. */
  readonly #unopened = new Map<string, string>();
  #isAnswered = false;
  /** Resolves when all verdicts `continue` that came are carried out. */
  #judged: Promise<unknown> = Promise.resolve();
  #hasLostLease = false;
  #isClosed = false;
  /** To go on with when their session is open: command → offset, by session. */
  readonly #continued = new Map<string, Map<string, number>>();

  /** `others` hears what is none of this one's business. */
  constructor(parts: WorkerParts, link: Link, others: (message: Message) => void = () => undefined) {
    this.#parts = parts;
    this.#link = link;
    this.#others = others;
    this.#streams = new Streams(parts, link);
    this.#undo.add(() => this.#streams.close());
    this.#undo.add(link.onRoom((session) => this.#streams.room(session)));
    this.#undo.add(parts.keeper.onProgress((command) => this.#streams.progress(command)));
  }

  /** Sends the inventory and begins to listen. */
  async start(): Promise<void> {
    const { sessions, commands } = this.#parts;
    const held = await commands.list();
    for (const fields of inventoryOf(sessions.list(), held)) this.#link.send('inventory', '', fields);
    this.#undo.add(this.#link.onMessage((message) => this.#onMessage(message)));
  }

  /** The link ended: stops sending. What is being carried out goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#undo.dispose();
  }

  /** The master has answered the whole inventory: it can work with this worker. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  #onMessage(message: Message): void {
    const { session } = message;
    switch (message.type) {
      case 'log.ack':
        return this.#streams.acknowledged(message.fields.command, message.fields.offset);
      case 'log.want':
        return this.#streams.want(message.fields.command, message.fields.offset);
      case 'file.want':
      case 'file.data':
      case 'file.ack':
      case 'file.stored':
      case 'file.refused':
        if (this.#streams.file(message)) return;
        return this.#link.close({ code: 'flow-violation', message: 'more of a file was sent than its window allows' });
      case 'inventory.answer':
        return this.#onAnswer(message.fields);
      case 'lease':
        return this.#orderLeast(message.fields);
      case 'session.open':
        return void this.#order(`session ${session}`, () => this.#openSession(session, message.fields));
      case 'session.idle':
        return void this.#order(`session ${session}`, () => this.#becomeIdle(session, message.fields.fence));
      case 'session.close':
        return void this.#order(`session ${session}`, () => this.#closeSession(session, message.fields));
      case 'command.start':
        return this.#orderStart(session, copied(message.fields));
      case 'command.interrupt':
        return void this.#order(`command ${message.fields.command}`, () => this.#interrupt(session, message.fields));
      case 'command.forget':
        return this.#orderForget(message.fields.command, session);
      default:
        // The link's own, and what a newer master may say that we need not hear.
        return this.#others(message);
    }
  }

  #orderStart(session: string, fields: Fields<'command.start'>): void {
    void this.#order(`command ${fields.command}`, () => this.#startCommand(session, fields), `session ${session}`);
  }

  /** Resolves when it is carried out, or has failed. */
  async #order(key: string, task: () => Promise<void>, after?: string): Promise<void> {
    if (this.#parts.orders.size >= MAX_WAITING_ORDERS) {
      return this.#link.close({ code: 'flow-violation', message: `${MAX_WAITING_ORDERS} orders wait already` });
    }
    await this.#parts.orders.push(key, task, after);
  }

  #onAnswer(answer: Fields<'inventory.answer'>): void {
    this.#isAnswered ||= answer.last;
    for (const { session, verdict, idle } of answer.sessions) {
      if (verdict === 'forget') void this.#order(`session ${session}`, () => this.#removeSession(session));
      else if (idle !== undefined) void this.#order(`session ${session}`, () => this.#becomeIdle(session, idle));
    }
    const { keeper } = this.#parts;
    for (const verdict of answer.commands) {
      const { command } = verdict;
      if (verdict.verdict === 'forget') this.#orderForget(command);
      else this.#judged = Promise.all([this.#judged, this.#order(`command ${command}`, () => this.#continue(verdict))]);
    }
    if (answer.last) this.#orderLeases(() => keeper.dropLeastLease());
  }

  #orderForget(command: string, session?: string): void {
    const done = this.#order(`command ${command}`, async () => {
      await this.#streams.end(command);
      await this.#parts.commands.forget(command);
    });
    this.#parts.leavers.forgotten(command, session, done);
  }

  #orderLeast({ n, leaseMs }: Fields<'lease'>): void {
    this.#orderLeases(async () => {
      await this.#parts.keeper.raiseLeastLease(leaseMs);
      this.#send('lease.held', '', { n });
    });
  }

  /** After the verdicts that came before: the master counts on them when it hears of this. */
  #orderLeases(task: () => Promise<void>): void {
    const judged = this.#judged;
    void this.#order('leases', async () => {
      await judged;
      if (!this.#hasLostLease) await this.#orEnd(task);
    });
  }

  /** What cannot be written ends the link: the master must not take a lease for held that is not. */
  async #orEnd(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.#hasLostLease = true;
      this.#link.close({ code: 'internal', message: shortText(`a lease could not be written: ${errorText(error)}`) });
      throw error;
    }
  }

  async #continue({ command, fence, from, leaseMs }: CommandVerdict): Promise<void> {
    const held = await this.#parts.commands.find(command);
    if (!held) return;
    if (fence !== undefined && fence < held.fence) return this.#tellStale('inventory.answer', held.session, fence);
    await this.#orEnd(async () => {
      if (fence !== undefined && fence > held.fence) await this.#parts.commands.setFence(command, fence);
      await this.#parts.commands.setLease(command, leaseMs);
    });
    const offsets = this.#continued.get(held.session) ?? new Map<string, number>();
    offsets.set(command, from ?? held.outputStart);
    this.#continued.set(held.session, offsets);
    if (this.#open.has(held.session)) await this.#streamContinued(held.session);
  }

  async #openSession(session: string, fields: Fields<'session.open'>): Promise<void> {
    const { sessions, secretFiles, workDir } = this.#parts;
    const { fence, directory, build } = fields;
    const known = sessions.get(session);
    if (known && fence < known.fence) return this.#tellStale('session.open', session, fence);
    try {
      await sessionFolder(workDir, directory);
      await secretFiles.opened(session, build);
      await sessions.put({ session, fence, directory });
    } catch (error) {
      this.#parts.logger.warn(`a session could not be opened: ${errorText(error)}`, { session, directory });
      this.#unopened.set(session, errorText(error));
      return this.#send('session.failed', session, { fence, code: 'folder', message: shortText(error) });
    }
    // A session that is open already may have lost its channel, and what was in it.
    if (this.#open.has(session)) this.#streams.again(session);
    this.#open.add(session);
    this.#unopened.delete(session);
    this.#send('session.opened', session, { fence });
    await this.#streamContinued(session);
  }

  /** From the moment at which that is on disk its folder may go. */
  async #becomeIdle(session: string, fence: number): Promise<void> {
    const { sessions, secretFiles, clock, evictor } = this.#parts;
    const known = sessions.get(session);
    if (known && fence >= known.fence) await secretFiles.remove(session);
    await sessions.idle(session, fence, clock.now());
    evictor.wake();
  }

  async #closeSession(session: string, { fence }: Fields<'session.close'>): Promise<void> {
    const known = this.#parts.sessions.get(session);
    if (known && fence < known.fence) return this.#tellStale('session.close', session, fence);
    this.#open.delete(session);
    const held = await this.#parts.commands.list();
    for (const one of held) if (one.session === session) this.#orderForget(one.command, session);
    await this.#removeSession(session);
    this.#send('session.closed', session, { fence });
    this.#link.releaseSession(session);
  }

  async #removeSession(session: string): Promise<void> {
    const { sessions, secretFiles, clock } = this.#parts;
    await secretFiles.remove(session);
    await sessions.remove(session, clock.now());
  }

  async #streamContinued(session: string): Promise<void> {
    const offsets = this.#continued.get(session);
    this.#continued.delete(session);
    for (const [command, from] of offsets ?? []) {
      const held = await this.#parts.commands.find(command);
      if (held) this.#streams.begin(held, from);
    }
  }

  async #startCommand(session: string, fields: Fields<'command.start'>): Promise<void> {
    const { sessions, commands } = this.#parts;
    const { command, fence, spec, leaseMs, logMaxBytes, masks } = fields;
    const seat = sessions.get(session);
    if (seat && fence < seat.fence) return this.#tellStale('command.start', session, fence);
    if (!seat || !this.#open.has(session)) {
      const why = this.#unopened.get(session);
      const message = `its session is not open on this worker${why === undefined ? '' : `: ${why}`}`;
      return this.#refuse(session, fields, message.slice(0, MAX_MESSAGE));
    }
    const raised = { ...seat, fence };
    if (fence > seat.fence) await sessions.put(raised);
    let held = await commands.find(command);
    if (held && fence < held.fence) return this.#tellStale('command.start', session, fence);
    if (held && fence > held.fence) await commands.setFence(command, fence);
    if (!held) {
      try {
        await this.#parts.evictor.makeRoom();
        const left = await this.#leftAt(raised, command);
        // The next link's inventory may have been told without it: its master decides anew. What is forgotten needs no answer.
        if (this.#isClosed || this.#parts.leavers.isLeaving(command)) return;
        if (left !== undefined) return this.#refuse(session, fields, left.slice(0, MAX_MESSAGE));
        const bounds = {
          ...(leaseMs !== undefined && { leaseMs }),
          ...(logMaxBytes !== undefined && { logMaxBytes }),
          ...(masks && masks.length > 0 && { masks }),
        };
        if (spec.secret === true && spec.path !== undefined) {
          await this.#parts.secretFiles.note(session, seat.directory, spec.path);
        }
        const started = commands.start(command, raised, spec, bounds);
        if (isQuick(spec)) {
          const done = started.catch(() => undefined); // Whoever started it hears of it.
          this.#parts.leavers.changes(command, raised, done);
        }
        await started;
      } catch (error) {
        this.#parts.logger.error(`a command could not be started: ${errorText(error)}`, { command });
        held = await commands.find(command);
        if (!held) return this.#refuse(session, fields, shortText(error));
      }
      held = await commands.find(command);
    }
    this.#send('command.started', session, { command, fence });
    if (held) this.#streams.begin({ ...held, fence }, held.outputStart);
  }

  async #leftAt({ session, fence, directory }: HeldSession, command: string): Promise<string | undefined> {
    const { leavers, workDir } = this.#parts;
    if (leavers.size === 0) return undefined;
    const folder = await sessionFolder(workDir, directory);
    return await leavers.leftAt({ session, fence, folder }, command);
  }

  /**
   * Not for anything that the command asks for: its outcome says so. Nothing of it is on disk: should this answer be lost, the
   * master asks for the start again.
   */
  #refuse(session: string, { command, fence }: Fields<'command.start'>, message: string): void {
    const now = this.#parts.clock.now();
    const outcome = { status: 'refused', message, fault: 'worker', startedAtMs: now, endedAtMs: now } as const;
    this.#send('command.finished', session, { command, fence, outputEnd: 0, outcome });
  }

  async #interrupt(session: string, { command, fence, reason }: Fields<'command.interrupt'>): Promise<void> {
    const held = await this.#parts.commands.find(command);
    if (!held || held.state === 'finished') return;
    if (fence < held.fence) return this.#tellStale('command.interrupt', session, fence);
    await this.#parts.commands.interrupt(command, reason);
    this.#streams.interrupted(command, reason);
    // A file operation that waited for its turn has no stream to tell of its end.
    const now = await this.#parts.commands.find(command);
    if (now?.state === 'finished' && this.#open.has(now.session)) this.#streams.begin(now, now.outputStart);
  }

  #send<T extends MessageType>(type: T, session: string, fields: Fields<T>): void {
    this.#link.send(type, session, fields);
  }

  #tellStale(type: MessageType, session: string, fence: number): void {
    this.#parts.logger.info(`ignored ${type} of an owner that was replaced`, { session, fence });
  }
}

/** The bytes of a message are only good while it is handled. */
function copied(fields: Fields<'command.start'>): Fields<'command.start'> {
  const { spec, masks } = fields;
  return {
    ...fields,
    ...(spec.stdin && { spec: { ...spec, stdin: Uint8Array.from(spec.stdin) } }),
    ...(masks && { masks: masks.map((mask) => Uint8Array.from(mask)) }),
  };
}

function shortText(error: unknown): string {
  return errorText(error).slice(0, MAX_MESSAGE);
}
