import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Seat } from '../../model/worker.ts';
import type { Fields, Message } from '../../protocol/messages.ts';
import { LIMITS, MiB } from '../../protocol/limits.ts';
import { ProtocolError } from '../../protocol/protocol-error.ts';
import { StoreError } from '../../store/store.ts';
import type { Store } from '../../store/store.ts';
import type { LinkEnd, MasterLink } from '../../transport/link.ts';
import { serveTransfer } from '../files/serve-transfer.ts';
import { ChunkDesk } from '../logs/chunk-desk.ts';
import type { CommandBoard } from './command-board.ts';
import type { CommandPost } from './command-post.ts';
import { ConnectionKeys } from './connection-keys.ts';
import type { ConnectionKeysOptions } from './connection-keys.ts';
import { InventoryReview } from './inventory-review.ts';
import type { Continued } from './inventory-review.ts';
import {
  MASK,
  cannotMask,
  interruptedBeforeStart,
  lacks,
  lostByWorker,
  restartedBeforeStart,
  sessionRefused,
} from './outcomes.ts';
import { WorkerLeases } from './worker-leases.ts';
import type { HeldLeases } from './held-leases.ts';

export interface AttachmentOptions extends Omit<ConnectionKeysOptions, 'logger' | 'hello' | 'link'> {
  readonly store: Store;
  readonly board: CommandBoard;
  readonly held: HeldLeases;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly filesDir: string;
  readonly hello: Fields<'hello'>;
  readonly link: MasterLink;
  /** False once another connection of this worker took over: what still comes here is a dead owner's. */
  readonly isOwner: () => boolean;
  /** The inventory is answered: orders go out from now on. */
  readonly onReady: () => void;
  /** It is stored that the worker is to be given nothing more. */
  readonly onLeave: () => void;
}

/** A worker that claims to hold more than this is broken. */
const MAX_INVENTORY_FRAMES = 1_000;
/** Of frames that wait for their answer; some ten thousands of commands. */
const MAX_INVENTORY_BYTES = 16 * MiB;

/** One connection of a worker, from its welcome to its end: `inventory -> ready -> ended`. */
export class Attachment {
  readonly #options: AttachmentOptions;
  readonly #link: MasterLink;
  readonly #chunks: ChunkDesk;
  readonly #review: InventoryReview;
  readonly leases: WorkerLeases;
  readonly keys: ConnectionKeys;
  #state: 'inventory' | 'ready' | 'ended' = 'inventory';
  /** The fence each session was opened with on this connection. */
  readonly #opened = new Map<string, number>();
  /** What the worker was told to go on with before it was ready; it is forgotten afterwards if it ended meanwhile. */
  #told: CommandPost[] = [];
  #isLeaving = false;
  #frames = 0;
  #waitingBytes = 0;
  #answering: Promise<void> = Promise.resolve();

  constructor(options: AttachmentOptions) {
    const { link, store, board, hello } = options;
    this.#options = options;
    this.#link = link;
    this.#chunks = new ChunkDesk(link);
    this.leases = new WorkerLeases(options);
    this.keys = new ConnectionKeys(options);
    this.#review = new InventoryReview(store, board, hello.worker, (build) => this.leases.leaseOf(build));
    link.onMessage((message, wireBytes) => this.#receive(message, wireBytes));
  }

  /** Open on this connection. */
  get sessions(): number {
    return this.#opened.size;
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /** The connection is gone, or is another's now: nothing of it counts from here on. */
  end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    for (const post of this.#options.board.of(this.#options.hello.worker)) post.detach();
  }

  /** Brings a command as far as this connection can: session, start, interrupt, transfer. Idempotent. */
  advance(post: CommandPost): void {
    if (this.#state !== 'ready' || post.isFinished || (!post.order && !post.isHeld)) return;
    const { board, clock, hello } = this.#options;
    const { command, session, order } = post;
    const interrupt = board.interrupts.get(command);
    if (!post.isHeld && !post.isStartSent) {
      if (post.seenBy !== undefined) return post.finish(lostByWorker(post, hello, clock.now()), 0);
      if (interrupt !== undefined) return post.finish(interruptedBeforeStart(interrupt, clock.now()), 0);
      const isOtherBoot = order?.bootId !== undefined && order.bootId !== hello.bootId;
      if (isOtherBoot) return post.finish(restartedBeforeStart(clock.now()), 0);
      const hasSecret = order?.masks !== undefined || order?.spec.secret === true;
      if (hasSecret && !hello.capabilities.includes(MASK)) return post.finish(cannotMask(hello, clock.now()), 0);
      const lacking = order && lacks(order.spec, hello, clock.now());
      if (lacking) return post.finish(lacking, 0);
    }
    const fence = this.openSession(order ? board.openSeat(order.seat) : board.seat(session));
    if (fence === undefined) return;
    if (order && !post.isHeld && !post.isStartSent) {
      post.isStartSent = true;
      this.#begin(post).catch((error: unknown) => this.#fail(error));
      const { spec, leaseMs, masks, logMaxBytes = LIMITS.logBytes } = order;
      const given = { ...(leaseMs !== undefined && { leaseMs }), ...(masks && { masks }) };
      this.#link.send('command.start', session, { command, fence, spec, logMaxBytes, ...given });
    }
    if (interrupt !== undefined && !post.isInterruptSent) {
      post.isInterruptSent = true;
      this.#link.send('command.interrupt', session, { command, fence, reason: interrupt.slice(0, 1_000) });
    }
    if (post.asked) serveTransfer(post, fence, this.#link, this.#options.filesDir);
  }

  /** Opens the session here, or tells it a higher fence; resolves to the fence it has. */
  openSession(seat: Seat | undefined): number | undefined {
    if (this.#state !== 'ready' || !seat) return undefined;
    const { session, project, builder, directory, fence, buildId } = seat;
    const opened = this.#opened.get(session);
    if (opened !== undefined && opened >= fence) return opened;
    if (opened === undefined) this.#link.bindSession(session);
    this.#opened.set(session, fence);
    this.#options.board.own(session);
    const build = buildId === undefined ? {} : { build: buildId };
    this.#link.send('session.open', session, { fence, project, builder, directory, ...build });
    return fence;
  }

  /** A worker that is not told now is told when it answers for its session after the next greeting. */
  idleSession(session: string, fence: number): void {
    if (this.#state === 'ready' && this.#opened.has(session)) this.#link.send('session.idle', session, { fence });
  }

  closeSession(session: string): void {
    const fence = this.#opened.get(session);
    if (fence !== undefined) this.#link.send('session.close', session, { fence });
  }

  /** True when the worker was told. */
  forget(post: { readonly command: string; readonly session: string }): boolean {
    const { command, session } = post;
    this.#chunks.drop(session, command);
    if (this.#state !== 'ready' || !this.#opened.has(session)) return false;
    this.#link.send('command.forget', session, { command });
    return true;
  }

  #receive(message: Message, wireBytes: number): void {
    // A dead owner's last words, while its goodbye is on the way.
    if (this.#state === 'ended' || !this.#options.isOwner()) return;
    try {
      if (message.type === 'inventory') this.#inventory(message.fields, wireBytes);
      else if (message.type === 'leave') this.#leave(message.fields.reason);
      else this.#dispatch(message, wireBytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  #dispatch(message: Message, wireBytes: number): void {
    const { type, session } = message;
    if (type === 'session.failed') return this.#sessionFailed(session, message.fields);
    if (type === 'session.closed') return this.#sessionClosed(session, message.fields.fence);
    if (type === 'lease.held') {
      this.leases.answered(message.fields.n).catch((error: unknown) => this.#fail(error));
      return;
    }
    if (type === 'key.new' || type === 'hostkeys.held') {
      const done = type === 'key.new' ? this.keys.offered(message.fields) : this.keys.held(message.fields);
      done.catch((error: unknown) => this.#fail(error));
      return;
    }
    if (!('command' in message.fields)) return;
    const post = this.#post(session, message.fields);
    if (type === 'log.append' || type === 'log.hole') {
      if (post) this.#chunks.receive(post, message, wireBytes, this.#options.clock.now());
      else this.#link.consumed(session, wireBytes);
      return;
    }
    if (!post) return;
    if (type === 'command.started') this.#held(post);
    else if (type === 'command.finished') {
      const { outcome, outputEnd } = message.fields;
      // What was refused was not claimed; should this be lost with the master, the next one asks again.
      if (outcome.status !== 'refused') this.#held(post);
      post.finish(outcome, outputEnd);
    } else this.#transfer(post, message);
  }

  #transfer(post: CommandPost, message: Message): void {
    const { type, fields } = message;
    if (type === 'file.pull' || type === 'file.push') {
      this.#held(post);
      post.stopTransfer();
      post.asked = type === 'file.pull' ? { kind: 'pull', fields } : { kind: 'push', fields };
      this.advance(post);
    } else if (type === 'file.refused') post.stopTransfer();
    else if (post.transfer && 'data' in post.transfer) {
      if (type === 'file.data') post.transfer.data(fields.offset, fields.bytes);
      else if (type === 'file.end') post.transfer.end(fields);
    } else if (type === 'file.ack') post.transfer?.acknowledged(fields.offset);
  }

  /** The post that a message is about; undefined when nobody waits for it any more, or it speaks for an earlier owner. */
  #post(session: string, fields: { readonly command: string; readonly fence?: number }): CommandPost | undefined {
    const post = this.#options.board.find(fields.command);
    if (!post || this.#state !== 'ready' || post.worker !== this.#options.hello.worker) return undefined;
    if (post.session !== session) {
      throw new ProtocolError('wrong-session', `command ${post.command} is of another session than ${session}`);
    }
    const fence = this.#opened.get(session);
    if (fence === undefined || (fields.fence !== undefined && fields.fence < fence)) return undefined;
    return post;
  }

  /** The worker has it: remembered before anything else is known of it, so that it is never started anew. */
  #held(post: CommandPost): void {
    post.isHeld = true;
    if (post.seenBy !== undefined) return;
    const { store, hello, logger } = this.#options;
    post.seenBy = hello.installId;
    store.commands.markSeen(post.command, hello.installId).catch((error: unknown) => {
      logger.error('could not store that a worker has a command', { command: post.command, error: errorText(error) });
      this.#fail(error);
    });
  }

  #sessionFailed(session: string, fields: Fields<'session.failed'>): void {
    const { board, clock, hello, logger } = this.#options;
    if (fields.fence !== this.#opened.get(session)) return;
    logger.warn('a worker could not open a session', { worker: hello.worker, session, message: fields.message });
    for (const post of board.of(hello.worker)) {
      if (post.session !== session || !post.isStartSent || post.isHeld) continue;
      post.finish(sessionRefused(fields, clock.now()), 0);
    }
    // Tried again with the next build or command.
    this.#opened.delete(session);
    this.#link.releaseSession(session);
  }

  #sessionClosed(session: string, fence: number): void {
    if (fence !== this.#opened.get(session)) return;
    this.#opened.delete(session);
    this.#link.releaseSession(session);
  }

  /** In turn with the inventory: said before it, it is stored before the worker is ready for builds. */
  #leave(reason: string): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    const { store, hello, clock, onLeave } = this.#options;
    this.#answering = this.#answering
      .then(() => store.workers.setLeaving(hello.worker, hello.processId, reason, clock.now()))
      .then(onLeave)
      .catch((error: unknown) => this.#fail(error));
  }

  #inventory(fields: Fields<'inventory'>, wireBytes: number): void {
    this.#waitingBytes += wireBytes;
    const isTooMuch = ++this.#frames > MAX_INVENTORY_FRAMES || this.#waitingBytes > MAX_INVENTORY_BYTES;
    if (this.#state !== 'inventory' || isTooMuch) {
      throw new ProtocolError('unexpected', 'an inventory that has no place here');
    }
    this.#answering = this.#answering
      .then(() => this.#answer(fields))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => (this.#waitingBytes -= wireBytes));
  }

  async #answer(inventory: Fields<'inventory'>): Promise<void> {
    if (this.#state !== 'inventory') return;
    const { answer, continued } = await this.#review.frame(inventory, (post) => this.#begin(post));
    if (!this.#isStillInventory() || !this.#options.isOwner()) return;
    const { board } = this.#options;
    const commands = answer.commands.map((verdict) =>
      // Since it was reviewed, perhaps.
      board.isForgotten(verdict.command) ? { command: verdict.command, verdict: 'forget' as const } : verdict,
    );
    this.#link.send('inventory.answer', '', { ...answer, commands, last: inventory.last });
    for (const one of continued) this.#continue(one);
    if (!inventory.last) return;
    await this.#readClaims();
    if (this.#isStillInventory()) this.#becomeReady();
  }

  #continue({ post, state, hasLostTail }: Continued): void {
    const { board } = this.#options;
    this.#told.push(post);
    if (board.isForgotten(post.command)) return board.remove(post.command);
    this.#held(post);
    post.hasLostTail = hasLostTail;
    if (state.outcome && state.state === 'finished') post.finish(state.outcome, state.outputEnd);
  }

  /** Lets the command's output come in on this connection. */
  async #begin(post: CommandPost): Promise<number> {
    // This one's inventory may still be under review: from here on another connection reads the command's output.
    if (this.#state === 'ended') throw new Error('another connection of this worker took over');
    return post.intake.begin(this.#chunks.repliesFor(post, (error) => this.#fail(error)));
  }

  /** The admission of another installation marks what the one before may have started (WorkerStore.attach). */
  async #readClaims(): Promise<void> {
    const { board, hello, store } = this.#options;
    for (const post of board.of(hello.worker)) {
      if (post.seenBy === undefined) post.seenBy = (await store.commands.find(post.command))?.seenBy;
    }
  }

  #becomeReady(): void {
    const { board, clock, hello, onReady } = this.#options;
    this.#state = 'ready';
    const posts = board.of(hello.worker);
    // A finished one still has output to send, on a session that is open.
    for (const post of posts) {
      if (post.isHeld) this.openSession(board.seat(post.session));
      else if (post.isFinished)
        this.#begin(post).then(
          () => post.giveUpOutput(clock.now()),
          (error: unknown) => this.#fail(error),
        );
    }
    for (const seat of board.openSeatsOf(hello.worker)) this.openSession(seat);
    for (const post of posts) this.advance(post);
    this.leases.ready();
    this.keys.ready();
    for (const post of this.#told.splice(0)) if (board.isForgotten(post.command)) this.#forgetLate(post);
    onReady();
  }

  /** Its end was stored while the inventory was being answered: nobody could be told then. */
  #forgetLate(post: CommandPost): void {
    this.openSession(this.#options.board.seat(post.session));
    this.forget(post);
  }

  /** For the compiler: the state may have changed during an await. */
  #isStillInventory(): boolean {
    return this.#state === 'inventory';
  }

  /** Whatever goes wrong on a connection ends it, and the next one goes on from what is stored. */
  #fail(error: unknown): void {
    if (this.#state === 'ended') return;
    const { logger, hello } = this.#options;
    const code = codeOf(error);
    const message = errorText(error).slice(0, 1_000);
    logger.warn('ending the connection of a worker', { worker: hello.worker, peer: this.#link.peer, code, message });
    this.#link.close({ code, message });
  }
}

/** What is refused of a chunk, the worker has said wrong: its length, its lines, its bytes. */
function codeOf(error: unknown): string {
  if (error instanceof ProtocolError) return error.code;
  return error instanceof StoreError && error.code === 'bad-chunk' ? 'bad-field' : 'internal';
}

/** Why a link ended, for the log. */
export function endText(end: LinkEnd): string {
  return end.code === undefined ? `${end.cause}: ${end.message}` : `${end.cause} (${end.code}): ${end.message}`;
}
