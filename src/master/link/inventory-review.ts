import type { Build } from '../../model/build.ts';
import type { Seat } from '../../model/worker.ts';
import type { CommandState, CommandVerdict, Fields } from '../../protocol/messages.ts';
import { reviewCommand } from '../../protocol/resume.ts';
import type { Store } from '../../store/store.ts';
import { logLimitOf } from '../logs/log-limit.ts';
import { storedLog } from '../logs/stored-log.ts';
import type { CommandBoard } from './command-board.ts';
import type { CommandPost } from './command-post.ts';

type SessionVerdict = Fields<'inventory.answer'>['sessions'][number];

/** A command that goes on. */
export interface Continued {
  readonly post: CommandPost;
  readonly seat: Seat;
  readonly state: CommandState;
  /** The worker has less of its output than is stored. */
  readonly hasLostTail: boolean;
}

export interface ReviewedFrame {
  readonly answer: Omit<Fields<'inventory.answer'>, 'last'>;
  readonly continued: readonly Continued[];
}

/**
 * Answers a worker's inventory from the store: what a running build at this seat still waits for goes on, from the end of the
 * stored log; all else is forgotten. One review a connection, a call a frame.
 */
export class InventoryReview {
  readonly #store: Store;
  readonly #board: CommandBoard;
  readonly #worker: string;
  readonly #leaseOf: (build: Build) => Promise<number | undefined>;
  readonly #builds = new Map<number, Promise<Build | undefined>>();
  #seats: Promise<ReadonlyMap<string, Seat>> | undefined;

  constructor(
    store: Store,
    board: CommandBoard,
    worker: string,
    leaseOf: (build: Build) => Promise<number | undefined>,
  ) {
    this.#leaseOf = leaseOf;
    this.#store = store;
    this.#board = board;
    this.#worker = worker;
  }

  async frame(inventory: Fields<'inventory'>, begin: (post: CommandPost) => Promise<number>): Promise<ReviewedFrame> {
    this.#seats ??= this.#readSeats();
    const seats = await this.#seats;
    const continued: Continued[] = [];
    const commands: CommandVerdict[] = [];
    // One after another, because a seat is taken over once however many commands it has.
    for (const state of inventory.commands) {
      const found = await this.#command(state, seats, begin);
      if ('post' in found) continued.push(found);
      commands.push(found.verdict);
    }
    const sessions: SessionVerdict[] = [];
    for (const { session, fence } of inventory.sessions) {
      const known = this.#board.seat(session);
      // Another worker's seat is none of this one's.
      const seat = known?.worker === this.#worker ? known : seats.get(session);
      // The database was put back: with a lower fence than it has seen the worker would heed nothing.
      if (seat && seat.fence < fence) await this.#board.takeOver(seat, fence);
      const stored = seats.get(session);
      const idle = stored && stored.buildId === undefined ? { idle: stored.fence } : {};
      sessions.push(seat ? { session, verdict: 'keep', ...idle } : { session, verdict: 'forget' });
    }
    return { answer: { sessions, commands }, continued };
  }

  async #command(
    state: CommandState,
    seats: ReadonlyMap<string, Seat>,
    begin: (post: CommandPost) => Promise<number>,
  ): Promise<{ readonly verdict: CommandVerdict } | (Continued & { readonly verdict: CommandVerdict })> {
    const { command, session } = state;
    const [record, log] = await Promise.all([
      this.#store.commands.find(command),
      this.#store.logs.findByCommand(command),
    ]);
    const build = record && (await this.#build(record.buildId));
    const seat = build && seats.get(session);
    const isKnown =
      build?.state === 'running' &&
      build.worker === this.#worker &&
      build.session === session &&
      seat?.buildId === build.id;
    if (!record || !seat || !isKnown || record.state === 'finished' || this.#board.isForgotten(command)) {
      if (this.#board.find(command)?.worker === this.#worker) this.#board.remove(command);
      return { verdict: { command, verdict: 'forget' } };
    }
    const taken = await this.#board.takeOver(seat, state.fence);
    const post = this.#board.add({
      command,
      worker: this.#worker,
      session,
      seenBy: record.seenBy,
      logId: log?.id,
      stored: await storedLog(this.#store, log?.id),
      logMaxBytes: logLimitOf(record.call),
    });
    const storedEnd = await begin(post);
    const review = reviewCommand({ isKnown, fence: taken.fence, storedEnd, isFinished: false }, state);
    if (review.action === 'continue') {
      const leaseMs = await this.#leaseOf(build);
      const verdict = { ...review.verdict, ...(leaseMs !== undefined && { leaseMs }) };
      return { post, seat: taken, state, hasLostTail: review.workerShort !== undefined, verdict };
    }
    throw new Error(
      `fence ${taken.fence} of session ${session} was raised and is still below the worker's ${state.fence}`,
    );
  }

  #build(id: number): Promise<Build | undefined> {
    const known = this.#builds.get(id);
    if (known) return known;
    const reading = this.#store.builds.find(id);
    this.#builds.set(id, reading);
    return reading;
  }

  async #readSeats(): Promise<ReadonlyMap<string, Seat>> {
    const seats = await this.#store.workers.seats(this.#worker);
    return new Map(seats.map((seat) => [seat.session, seat]));
  }
}
