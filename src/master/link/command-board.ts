import type { Seat } from '../../model/worker.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { ProtocolError } from '../../protocol/protocol-error.ts';
import type { Store } from '../../store/store.ts';
import { storedLog } from '../logs/stored-log.ts';
import type { StoredLog } from '../logs/log-intake.ts';
import { CommandPost } from './command-post.ts';

export interface CommandBoardOptions {
  readonly store: Store;
  readonly bus: DeskBus;
}

/** What the desk wakes others with. */
export interface DeskBus {
  publish(topic: 'logs' | 'workers', key: string | number): void;
}

/** A seat as the desk knows it; the builds' own copy of the fence may be older. */
interface SeatEntry {
  seat: Seat;
  /** A build wants it open whenever its worker is here. */
  isOpen: boolean;
  /** A build sat there when this master began: its first connection here is a take-over. */
  isInherited: boolean;
}

const MAX_UNTOLD = 10_000;

/** The commands and seats that the desk has in mind, whatever becomes of connections. */
export class CommandBoard {
  /** Ends that were asked for; they hold until the command is forgotten. */
  readonly interrupts = new Map<string, string>();
  readonly #options: CommandBoardOptions;
  /** Forgotten while their worker could not be told: the next inventory that names one is answered so. */
  readonly #untold = new Set<string>();
  readonly #posts = new Map<string, CommandPost>();
  readonly #seats = new Map<string, SeatEntry>();

  constructor(options: CommandBoardOptions) {
    this.#options = options;
  }

  find(command: string): CommandPost | undefined {
    return this.#posts.get(command);
  }

  of(worker: string): readonly CommandPost[] {
    return Array.from(this.#posts.values()).filter((post) => post.worker === worker);
  }

  /** The post of a command, made from what the store says of it when it is not there yet. */
  add(found: {
    readonly command: string;
    readonly worker: string;
    readonly session: string;
    readonly seenBy: string | undefined;
    readonly logId: number | undefined;
    readonly stored: StoredLog;
    readonly logMaxBytes: number;
  }): CommandPost {
    const known = this.#posts.get(found.command);
    if (known) return known;
    const { store, bus } = this.#options;
    const { command, worker, session, seenBy, logId, stored, logMaxBytes } = found;
    const post = new CommandPost({
      command,
      worker,
      session,
      seenBy,
      intake: {
        ...(logId === undefined ? {} : { logId }),
        stored,
        limitBytes: logMaxBytes,
        append: (id, chunk) => store.logs.append(id, chunk),
        reread: (id) => storedLog(store, id),
      },
      onStored: (id) => bus.publish('logs', id),
    });
    this.#posts.set(command, post);
    return post;
  }

  /** Resolves when nothing that came is under way to the store any more. */
  async settled(): Promise<void> {
    await Promise.all(
      Array.from(this.#posts.values(), (post) => Promise.all([post.intake.settled(), post.transfersDone])),
    );
  }

  /** The oldest go first: their builds have long ended in the store, which says the same. */
  forgetLater(command: string): void {
    this.#untold.add(command);
    for (const oldest of this.#untold) {
      if (this.#untold.size <= MAX_UNTOLD) break;
      this.#untold.delete(oldest);
    }
  }

  isForgotten(command: string): boolean {
    return this.#untold.has(command);
  }

  remove(command: string): void {
    this.#posts.delete(command);
    this.interrupts.delete(command);
  }

  /** At the start of a master: the seats that builds sit on. */
  inherit(seats: readonly Seat[]): void {
    for (const seat of seats) {
      if (seat.buildId === undefined) continue;
      const entry = this.#seats.get(seat.session);
      if (!entry) this.#seats.set(seat.session, { seat, isOpen: false, isInherited: true });
      else if (entry.seat.fence === seat.fence) entry.isInherited = true;
    }
  }

  openSeat(seat: Seat): Seat {
    const entry = this.#seats.get(seat.session);
    if (!entry) {
      this.#seats.set(seat.session, { seat, isOpen: true, isInherited: false });
      return seat;
    }
    entry.isOpen = true;
    if (seat.fence > entry.seat.fence) {
      entry.seat = seat;
      entry.isInherited = false;
    }
    return entry.seat;
  }

  /** A worker was told of the seat by this master: it is no one else's. */
  own(session: string): void {
    const entry = this.#seats.get(session);
    if (entry) entry.isInherited = false;
  }

  closeSeat(session: string): void {
    this.#seats.delete(session);
  }

  seat(session: string): Seat | undefined {
    return this.#seats.get(session)?.seat;
  }

  openSeatsOf(worker: string): readonly Seat[] {
    return Array.from(this.#seats.values())
      .filter(({ seat, isOpen }) => isOpen && seat.worker === worker)
      .map(({ seat }) => seat);
  }

  /**
   * Takes a seat over for a build that goes on: the fence rises over what an earlier master gave, and over `above`, so that
   * nothing of an earlier owner counts. Resolves to the seat as it is now. Rejects with a ProtocolError when no master can
   * have given `above`.
   */
  async takeOver(seat: Seat, above: number): Promise<Seat> {
    const entry = this.#seats.get(seat.session);
    const current = entry && entry.seat.fence > seat.fence ? entry.seat : seat;
    if (entry && !entry.isInherited && current.fence >= above) return current;
    if (above > current.fence + LIMITS.fenceLead) {
      throw new ProtocolError(
        'bad-field',
        `the worker names fence ${above} of session ${seat.session}, of which ${current.fence} is the highest that was given; ` +
          "if its disk is damaged, stop it and remove its folders 'state' and 'spool'",
      );
    }
    const fence = await this.#options.store.workers.raiseFence(seat.session, above);
    const raised = { ...current, fence };
    this.#seats.set(seat.session, { seat: raised, isOpen: true, isInherited: false });
    return raised;
  }
}
