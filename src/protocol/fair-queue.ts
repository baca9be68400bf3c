import { Fifo } from './fifo.ts';
import { LIMITS } from './limits.ts';
import type { Lane } from './messages.ts';

export interface QueuedFrame {
  readonly lane: Lane;
  readonly session: string;
  readonly frame: Uint8Array;
}

/** What one session has waiting. It lives while anything waits. */
interface Account {
  readonly bytes: Record<Lane, number>;
  readonly flows: Partial<Record<Lane, Flow>>;
  isDropped: boolean;
}

interface Entry extends QueuedFrame {
  readonly account: Account;
}

/** One session's turn in the round robin of a lane. */
interface Flow {
  readonly entries: Fifo<Entry>;
  deficitBytes: number;
  hasTurn: boolean;
  isInRing: boolean;
}

/**
 * Frames that wait to be sent. Control goes before acks, acks before logs, logs before file bodies. Within control and within
 * acks the order is that of the pushes; within logs and within bulk the sessions take turns by deficit round robin (Shreedhar
 * and Varghese, SIGCOMM 1995), so that a session gets its share however large its frames are. The order of a session within a
 * lane is kept. Each operation takes constant time, amortized.
 */
export class FairQueue {
  readonly #quantumBytes: number;
  readonly #accounts = new Map<string, Account>();
  readonly #lines = { control: new Fifo<Entry>(), ack: new Fifo<Entry>() };
  readonly #rings = { log: new Fifo<Flow>(), bulk: new Fifo<Flow>() };
  #bytes = 0;

  constructor(quantumBytes: number = LIMITS.fairQuantumBytes) {
    this.#quantumBytes = quantumBytes;
  }

  push(lane: Lane, session: string, frame: Uint8Array): void {
    const account = this.#account(session);
    const entry: Entry = { lane, session, frame, account };
    account.bytes[lane] += frame.byteLength;
    this.#bytes += frame.byteLength;
    if (lane === 'control' || lane === 'ack') {
      this.#lines[lane].push(entry);
      return;
    }
    const flow = (account.flows[lane] ??= newFlow());
    flow.entries.push(entry);
    if (flow.isInRing) return;
    flow.isInRing = true;
    this.#rings[lane].push(flow);
  }

  /** The frame to send next, taken out. */
  pop(): QueuedFrame | undefined {
    return (
      this.#popLine(this.#lines.control) ??
      this.#popLine(this.#lines.ack) ??
      this.#popRing(this.#rings.log) ??
      this.#popRing(this.#rings.bulk)
    );
  }

  /** Bytes that wait: of a session in a lane. */
  bytes(session: string, lane: Lane): number {
    return this.#accounts.get(session)?.bytes[lane] ?? 0;
  }

  /** Bytes that wait in all. */
  get totalBytes(): number {
    return this.#bytes;
  }

  /** Forgets what a session has waiting, in all lanes. */
  drop(session: string): void {
    const account = this.#accounts.get(session);
    if (!account) return;
    this.#accounts.delete(session);
    this.#bytes -= waiting(account);
    // Its entries in the two lines and its flows in the rings are passed over when their turn comes.
    account.isDropped = true;
    for (const flow of Object.values(account.flows)) flow.entries.clear();
  }

  #popLine(line: Fifo<Entry>): QueuedFrame | undefined {
    for (let entry = line.shift(); entry; entry = line.shift()) {
      if (!entry.account.isDropped) return this.#taken(entry);
    }
    return undefined;
  }

  #popRing(ring: Fifo<Flow>): QueuedFrame | undefined {
    for (let flow = ring.peek(); flow; flow = ring.peek()) {
      const entry = flow.entries.peek();
      if (!entry) {
        leaveRing(ring, flow);
        continue;
      }
      if (!flow.hasTurn) {
        flow.hasTurn = true;
        flow.deficitBytes += this.#quantumBytes;
      }
      if (entry.frame.byteLength > flow.deficitBytes) {
        flow.hasTurn = false;
        ring.shift();
        ring.push(flow);
        continue;
      }
      flow.deficitBytes -= entry.frame.byteLength;
      flow.entries.shift();
      if (!flow.entries.peek()) leaveRing(ring, flow);
      return this.#taken(entry);
    }
    return undefined;
  }

  #taken(entry: Entry): QueuedFrame {
    const { account, frame, lane, session } = entry;
    account.bytes[lane] -= frame.byteLength;
    this.#bytes -= frame.byteLength;
    if (waiting(account) === 0 && !account.isDropped) this.#accounts.delete(session);
    return entry;
  }

  #account(session: string): Account {
    const known = this.#accounts.get(session);
    if (known) return known;
    const account: Account = { bytes: { control: 0, ack: 0, log: 0, bulk: 0 }, flows: {}, isDropped: false };
    this.#accounts.set(session, account);
    return account;
  }
}

function newFlow(): Flow {
  return { entries: new Fifo<Entry>(), deficitBytes: 0, hasTurn: false, isInRing: false };
}

/** A session that has nothing more to send saves no turn up for later. */
function leaveRing(ring: Fifo<Flow>, flow: Flow): void {
  ring.shift();
  flow.deficitBytes = 0;
  flow.hasTurn = false;
  flow.isInRing = false;
}

function waiting(account: Account): number {
  const { control, ack, log, bulk } = account.bytes;
  return control + ack + log + bulk;
}
