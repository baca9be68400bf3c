import { LIMITS } from './limits.ts';
import { ProtocolError } from './protocol-error.ts';

/** A `credit` message: wire bytes that may have been sent since the connection began, on a session or ('') on all of them. */
export interface Grant {
  readonly session: string;
  readonly total: number;
}

/** The sender's side: what it was granted and what it has spent. Counts belong to one connection and are never set back. */
export class CreditAccount {
  readonly #granted = new Map<string, number>();
  readonly #spent = new Map<string, number>();

  /** Totals only grow: an older one that comes late changes nothing. */
  grant({ session, total }: Grant): void {
    if (total > (this.#granted.get(session) ?? 0)) this.#granted.set(session, total);
  }

  /** Wire bytes that the session may send now. */
  available(session: string): number {
    return Math.max(0, Math.min(this.#left(session), this.#left(WORKER)));
  }

  /** False, and nothing is spent, when the frame does not fit. */
  spend(session: string, wireBytes: number): boolean {
    if (wireBytes > this.available(session)) return false;
    for (const key of [session, WORKER]) this.#spent.set(key, (this.#spent.get(key) ?? 0) + wireBytes);
    return true;
  }

  #left(key: string): number {
    return (this.#granted.get(key) ?? 0) - (this.#spent.get(key) ?? 0);
  }
}

/** The session name that stands for all of a worker's. A session's own id is never empty. */
const WORKER = '';

interface Ledger {
  granted: number;
  received: number;
  consumed: number;
}

/**
 * Credit that all workers of a master share, which bounds the memory they can make it use. First windows are always given, so
 * that no worker is without; windows grow only while more than half is left, and shrink when less than a quarter is.
 */
export class CreditPool {
  readonly #totalBytes: number;
  #leftBytes: number;

  constructor(totalBytes: number = LIMITS.masterCreditBytes) {
    this.#totalBytes = totalBytes;
    this.#leftBytes = totalBytes;
  }

  /** Below 0 when there are more workers than first windows. */
  get leftBytes(): number {
    return this.#leftBytes;
  }

  get isShort(): boolean {
    return this.#leftBytes < this.#totalBytes / 4;
  }

  take(bytes: number): void {
    this.#leftBytes -= bytes;
  }

  /** As much of `bytes` as can be spared. */
  takeSpare(bytes: number): number {
    const spare = Math.max(0, Math.min(bytes, this.#leftBytes - Math.ceil(this.#totalBytes / 2)));
    this.#leftBytes -= spare;
    return spare;
  }

  give(bytes: number): void {
    this.#leftBytes += bytes;
  }
}

export interface CreditWindows {
  /** Unconsumed bytes that one session may have under way. */
  readonly sessionBytes: number;
  /** The worker's window at first, and what it may grow to while it is used. */
  readonly workerFirstBytes: number;
  readonly workerMostBytes: number;
}

export const CREDIT_WINDOWS: CreditWindows = {
  sessionBytes: LIMITS.sessionCreditBytes,
  workerFirstBytes: LIMITS.workerFirstCreditBytes,
  workerMostBytes: LIMITS.workerCreditBytes,
};

/**
 * The receiver's side: grants credit, and tells a peer that sends more than it was granted. What is granted beyond what was
 * consumed is memory that may be needed, so every window is taken from the pool. A worker begins with a small window, which
 * doubles as it is used. No window may be under 384 KiB: with a quarter of it not granted yet, a whole chunk must still fit.
 */
export class CreditGranter {
  readonly #windows: CreditWindows;
  readonly #pool: CreditPool;
  readonly #sessions = new Map<string, Ledger>();
  readonly #worker: Ledger = newLedger();
  #workerWindowBytes: number;

  constructor(windows: CreditWindows = CREDIT_WINDOWS, pool: CreditPool = new CreditPool()) {
    this.#windows = windows;
    this.#pool = pool;
    this.#workerWindowBytes = windows.workerFirstBytes;
    pool.take(windows.workerFirstBytes);
  }

  /** What to grant first: after the welcome, before any session. */
  start(): Grant {
    return this.#raise(WORKER, this.#worker, this.#workerWindowBytes);
  }

  /** What a session that is opened on this connection has. Told again when it was open before: grants may have found it closed. */
  open(session: string): Grant {
    const ledger = this.#sessions.get(session) ?? newLedger();
    this.#sessions.set(session, ledger);
    return this.#raise(session, ledger, this.#windows.sessionBytes);
  }

  /** A frame of the log lane arrived. Throws a ProtocolError when it was not granted. */
  received(session: string, wireBytes: number): void {
    const ledger = this.#sessions.get(session);
    if (!ledger) throw new ProtocolError('unknown-session', `data for session ${session}, which has no credit here`);
    for (const [name, book] of [[`session ${session}`, ledger] as const, ['the worker', this.#worker] as const]) {
      book.received += wireBytes;
      if (book.received <= book.granted) continue;
      throw new ProtocolError(
        'flow-violation',
        `${name} was granted ${book.granted} bytes on this connection and has sent ${book.received}`,
      );
    }
  }

  /** So much of what was received is dealt with and uses no memory any more. Returns what is to be granted now. */
  consumed(session: string, wireBytes: number): readonly Grant[] {
    const ledger = this.#sessions.get(session);
    if (!ledger) return [];
    const grants: Grant[] = [];
    ledger.consumed = Math.min(ledger.received, ledger.consumed + wireBytes);
    this.#worker.consumed = Math.min(this.#worker.received, this.#worker.consumed + wireBytes);
    if (isDue(ledger, this.#windows.sessionBytes)) {
      grants.push(this.#raise(session, ledger, this.#windows.sessionBytes));
    }
    this.#shrink();
    if (isDue(this.#worker, this.#workerWindowBytes)) {
      this.#grow();
      grants.push(this.#raise(WORKER, this.#worker, this.#workerWindowBytes));
    }
    return grants;
  }

  /** Bytes received and not dealt with. */
  get heldBytes(): number {
    return this.#worker.received - this.#worker.consumed;
  }

  /** The connection ended: its window goes back to the pool. */
  close(): void {
    this.#pool.give(this.#workerWindowBytes);
    this.#workerWindowBytes = 0;
  }

  #grow(): void {
    const most = Math.max(0, this.#windows.workerMostBytes - this.#workerWindowBytes);
    this.#workerWindowBytes += this.#pool.takeSpare(Math.min(most, this.#workerWindowBytes));
  }

  /** What was granted cannot be taken back, but need not be granted again. */
  #shrink(): void {
    if (!this.#pool.isShort) return;
    const outstanding = this.#worker.granted - this.#worker.consumed;
    const smaller = Math.max(this.#windows.workerFirstBytes, outstanding);
    if (smaller >= this.#workerWindowBytes) return;
    this.#pool.give(this.#workerWindowBytes - smaller);
    this.#workerWindowBytes = smaller;
  }

  #raise(session: string, ledger: Ledger, windowBytes: number): Grant {
    ledger.granted = Math.max(ledger.granted, ledger.consumed + windowBytes);
    return { session, total: ledger.granted };
  }
}

function newLedger(): Ledger {
  return { granted: 0, received: 0, consumed: 0 };
}

/** Grants come in steps of a quarter of the window, so that they are few beside the data. */
function isDue(ledger: Ledger, windowBytes: number): boolean {
  return ledger.consumed + windowBytes - ledger.granted >= windowBytes / 4;
}
