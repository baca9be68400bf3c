import { mkdir } from 'node:fs/promises';
import type { Cancel, Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { Signal } from '../../base/signal.ts';
import type { CommandRecord } from '../../model/command.ts';
import type { Seat } from '../../model/worker.ts';
import type { CreditPool } from '../../protocol/credit.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Fields, Outcome } from '../../protocol/messages.ts';
import type { Store } from '../../store/store.ts';
import type { Carrier } from '../../transport/carrier.ts';
import type { Vitals } from '../../transport/link.ts';
import { removeStaleFetched } from '../files/fetched-file.ts';
import { listPartials, removePartial } from '../files/partial-file.ts';
import type { StoredLog } from '../logs/log-intake.ts';
import { storedLog } from '../logs/stored-log.ts';
import { CommandBoard } from './command-board.ts';
import type { DeskBus } from './command-board.ts';
import { HeldLeases } from './held-leases.ts';
import type { LostRules, Pace } from './held-leases.ts';
import type { CommandPost } from './command-post.ts';
import type { CommandOrder, WorkerDesk } from './desk.ts';
import { KeyRenewals } from './key-renewals.ts';
import type { RenewedKey } from './key-renewals.ts';
import type { KeyRing } from './key-ring.ts';
import { Reception } from './reception.ts';
import type { Dismissed, WorkerConnection } from './reception.ts';

export interface WorkerDeskOptions {
  readonly store: Store;
  readonly bus: DeskBus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly masterId: string;
  /** Where files on their way here wait until they are whole; made when it is not there. */
  readonly filesDir: string;
  /** Shared by all links of this master. */
  readonly creditPool: CreditPool;
  readonly keyRing: KeyRing;
  /** Whether a name that has logged in is still a worker's; all are when not given. */
  readonly isAdmitted?: (worker: string) => boolean;
  readonly rules: LostRules;
  /** Instead of what the rules say, for measurements. */
  readonly pace?: Pace;
}

/** A worker that is well says within this time that a lease is on its disk. */
const LEASE_ANSWER_MS = 5_000;
/** A worker that is well has made a key and is back with it within this time. */
const RENEW_MS = 30_000;

export interface OpenWorkerDesk extends WorkerDesk {
  /** A worker has logged in as `name` with a key: greets it, judges whether it may be that worker, and serves it. */
  accept(name: string, carrier: Carrier, loginKey?: string): void;
  /** Lets the worker make another key and come anew with it; resolves to what became of it. */
  renewKey(worker: string): Promise<RenewedKey>;
  /** True when the worker is here and can be told of host keys. */
  learnsHostKeys(worker: string): boolean;
  /** The master's host keys are others now: tells all workers that are here. */
  tellHostKeys(): void;
  /** Ends the worker's connection with this goodbye; undefined when there is none to be told. */
  dismiss(worker: string, goodbye: Fields<'goodbye'>): Dismissed | undefined;
  /** Of a worker that is attached now. */
  connection(worker: string): WorkerConnection | undefined;
  /** What must be done before the first worker is let in. */
  readonly prepared: Promise<void>;
  /** Workers whose connections ping less often than this come again. */
  hasten(heartbeatMs: number): void;
  /**
   * Lets all workers that are here hold their commands for so long out of sight, until their next inventory is answered.
   * Resolves to those that said in time that they will, and have not come anew since.
   */
  raiseLeases(leaseMs: number): Promise<ReadonlySet<string>>;
}

export function openWorkerDesk(options: WorkerDeskOptions): OpenWorkerDesk {
  return new Desk(options);
}

class Desk implements OpenWorkerDesk {
  readonly #options: WorkerDeskOptions;
  readonly #board: CommandBoard;
  readonly #reception: Reception;
  readonly prepared: Promise<void>;
  readonly #held: HeldLeases;
  readonly #renewals: KeyRenewals;
  readonly #openedAtMs: number;
  readonly #changed = new Signal<string>();
  /** Orders whose records are being read, so that a `forget` meanwhile is not lost. */
  readonly #opening = new Set<string>();

  constructor(options: WorkerDeskOptions) {
    this.#options = options;
    const { store, bus, clock, rules } = options;
    this.#openedAtMs = clock.monotonic();
    this.#held = new HeldLeases(store, rules, clock);
    this.#renewals = new KeyRenewals(clock);
    this.#board = new CommandBoard({ store, bus });
    this.prepared = this.#prepare();
    this.#reception = new Reception({
      ...options,
      board: this.#board,
      held: this.#held,
      renewals: this.#renewals,
      prepared: this.prepared,
      onChange: (worker) => {
        bus.publish('workers', worker);
        this.#changed.emit(worker);
      },
    });
  }

  accept(name: string, carrier: Carrier, loginKey?: string): void {
    this.#reception.accept(name, carrier, loginKey);
  }

  connected(): ReadonlySet<string> {
    return this.#reception.ready();
  }

  canMask(worker: string): boolean {
    return this.#reception.canMask(worker);
  }

  bootId(worker: string): string | undefined {
    return this.#reception.bootId(worker);
  }

  connection(worker: string): WorkerConnection | undefined {
    return this.#reception.connection(worker);
  }

  vitals(worker: string): Vitals | undefined {
    return this.#reception.vitals(worker);
  }

  dismiss(worker: string, goodbye: Fields<'goodbye'>): Dismissed | undefined {
    return this.#reception.dismiss(worker, goodbye);
  }

  heardAtMs(worker: string): number {
    return this.#reception.heardAtMs(worker) ?? this.#openedAtMs;
  }

  heldMs(worker: string): number {
    return this.#held.of(worker);
  }

  hasten(heartbeatMs: number): void {
    this.#reception.hasten(heartbeatMs);
  }

  async renewKey(worker: string): Promise<RenewedKey> {
    const keys = this.#reception.ready().has(worker) ? this.#reception.attachment(worker)?.keys : undefined;
    if (!keys) return { outcome: 'away' };
    if (!keys.knowsRotation) return { outcome: 'too old' };
    const settled = this.#renewals.settled(worker, RENEW_MS);
    keys.renew();
    return await settled;
  }

  learnsHostKeys(worker: string): boolean {
    return this.#reception.attachment(worker)?.keys.knowsRotation ?? false;
  }

  tellHostKeys(): void {
    for (const worker of this.#reception.ready()) this.#reception.attachment(worker)?.keys.tellHostKeys();
  }

  async raiseLeases(leaseMs: number): Promise<ReadonlySet<string>> {
    const told = Array.from(this.#reception.ready(), async (worker) => {
      const attachment = this.#reception.attachment(worker);
      return { worker, attachment, isHeld: await attachment?.leases.raise(leaseMs, LEASE_ANSWER_MS) };
    });
    // All have answered by then, or were too late: one that came anew has dropped what it said.
    const holding = (await Promise.all(told)).filter(
      ({ worker, attachment, isHeld }) => isHeld && this.#reception.attachment(worker) === attachment,
    );
    return new Set(holding.map(({ worker }) => worker));
  }

  onChange(listener: (worker: string) => void): Cancel {
    return this.#changed.on(listener);
  }

  async run(order: CommandOrder, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted();
    const aborted = whenAborted(signal);
    try {
      const post = await Promise.race([this.#post(order), aborted.promise]);
      post.order = order;
      this.#advance(post);
      return await Promise.race([post.outcome, aborted.promise]);
    } finally {
      aborted.cancel();
    }
  }

  interrupt(command: string, reason: string): void {
    const post = this.#board.find(command);
    if ((!post && !this.#opening.has(command)) || this.#board.interrupts.has(command)) return;
    this.#board.interrupts.set(command, reason);
    if (post) this.#advance(post);
  }

  forget(command: string): void {
    const post = this.#board.find(command);
    this.#opening.delete(command);
    this.#board.remove(command);
    const isTold = post && this.#reception.attachment(post.worker)?.forget(post);
    if (!isTold) this.#board.forgetLater(command);
    if (!post) return;
    post.stopTransfer();
    if (post.order?.spec.kind === 'get' || post.order?.spec.kind === 'glob') this.#dropPartial(post);
  }

  openSeat(seat: Seat): void {
    const current = this.#board.openSeat(seat);
    this.#reception.attachment(seat.worker)?.openSession(current);
  }

  idleSeat(worker: string, session: string, fence: number): void {
    this.#reception.attachment(worker)?.idleSession(session, fence);
  }

  closeSeat(session: string): void {
    const seat = this.#board.seat(session);
    this.#board.closeSeat(session);
    if (seat) this.#reception.attachment(seat.worker)?.closeSession(session);
  }

  async close(message: string): Promise<void> {
    await this.#reception.close(message);
    await this.#board.settled();
  }

  #advance(post: CommandPost): void {
    this.#reception.attachment(post.worker)?.advance(post);
  }

  /** The order's post; a new one begins where the store says. */
  async #post(order: CommandOrder): Promise<CommandPost> {
    const { command, seat, logId } = order;
    const known = this.#board.find(command);
    if (known) return known;
    this.#opening.add(command);
    try {
      const { record, stored } = await this.#read(order);
      if (!this.#opening.has(command)) throw new Error(`command ${command} was forgotten before it was started`);
      return this.#board.add({
        command,
        worker: seat.worker,
        session: seat.session,
        seenBy: record?.seenBy,
        logId,
        stored,
        logMaxBytes: order.logMaxBytes ?? LIMITS.logBytes,
      });
    } finally {
      this.#opening.delete(command);
    }
  }

  /** Read again when a worker was admitted meanwhile: that may have changed who has claimed what. */
  async #read({
    command,
    seat,
    logId,
  }: CommandOrder): Promise<{ record: CommandRecord | undefined; stored: StoredLog }> {
    const { store } = this.#options;
    for (;;) {
      const epoch = this.#reception.epoch(seat.worker);
      const [record, stored] = await Promise.all([store.commands.find(command), storedLog(store, logId)]);
      if (this.#reception.epoch(seat.worker) === epoch) return { record, stored };
    }
  }

  /** Before the first worker is let in. */
  async #prepare(): Promise<void> {
    const { store, filesDir } = this.#options;
    await this.#held.read();
    this.#board.inherit(await store.workers.seats());
    await mkdir(filesDir, { recursive: true });
    for (const command of await listPartials(filesDir)) {
      const record = await store.commands.find(command);
      if (record?.state !== 'started') await removePartial(filesDir, command);
    }
    await removeStaleFetched(filesDir, store);
  }

  #dropPartial(post: CommandPost): void {
    const { filesDir, logger } = this.#options;
    post.transfersDone
      .then(() => removePartial(filesDir, post.command))
      .catch((error: unknown) => {
        logger.warn('could not remove a part of a file', { command: post.command, error: errorText(error) });
      });
  }
}

/** Rejects with the signal's reason when it is aborted. */
function whenAborted(signal: AbortSignal): { readonly promise: Promise<never>; readonly cancel: Cancel } {
  let cancel: Cancel = () => undefined;
  const promise = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    signal.addEventListener('abort', abort);
    cancel = () => signal.removeEventListener('abort', abort);
  });
  promise.catch(() => undefined); // Nobody may be waiting in the moment it rejects; the race that waits hears of it.
  return { promise, cancel };
}
