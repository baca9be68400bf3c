import type { Cancel } from '../base/clock.ts';
import { deferred } from '../base/deferred.ts';
import { Signal } from '../base/signal.ts';
import { Fifo } from '../protocol/fifo.ts';
import { KiB, MiB } from '../protocol/limits.ts';
import type { Carrier, Channel, Subsystem } from './carrier.ts';

/** As ssh2's. */
const WINDOW_BYTES = 2 * MiB;
/** What one turn of the event loop moves in one direction. */
const TURN_BYTES = 256 * KiB;

type Side = 'worker' | 'master';

/** Ways to hurt the line. Directions are named for the side that sends. */
export interface MemoryFaults {
  cut(reason?: string): void;
  /** Cuts when so many more bytes of that side have arrived; those that came before do arrive. */
  cutAfter(side: Side, bytes: number): void;
  /** Nothing of that side arrives until it is let go on. */
  stall(side: Side): void;
  flow(side: Side): void;
}

/**
 * A worker's and a master's carrier over no network at all. Delivery is asynchronous and in order; channels have windows; bytes
 * are copied on the way, so that a receiver that keeps what it may not keep is found out.
 */
export function memoryCarriers(): {
  readonly worker: Carrier;
  readonly master: Carrier;
  readonly faults: MemoryFaults;
} {
  const line = new Line();
  return { worker: line.ends.worker, master: line.ends.master, faults: line };
}

class Line implements MemoryFaults {
  readonly ends: { readonly worker: MemoryCarrier; readonly master: MemoryCarrier };
  isCut = false;

  constructor() {
    const worker = new MemoryCarrier(this, 'worker');
    const master = new MemoryCarrier(this, 'master');
    worker.other = master;
    master.other = worker;
    this.ends = { worker, master };
  }

  cut(reason = 'the line was cut'): void {
    if (this.isCut) return;
    this.isCut = true;
    for (const end of [this.ends.worker, this.ends.master]) end.over(reason);
  }

  cutAfter(side: Side, bytes: number): void {
    this.ends[side].cutAfterBytes = bytes;
  }

  stall(side: Side): void {
    this.ends[side].isStalled = true;
  }

  flow(side: Side): void {
    this.ends[side].isStalled = false;
    this.ends[side].schedule();
  }
}

/** Something on its way: bytes of a channel, or what happened to it. */
interface Parcel {
  readonly bytes: Uint8Array | undefined;
  readonly arrive: () => void;
}

class MemoryCarrier implements Carrier {
  readonly peer: string;
  readonly closed: Promise<string>;
  other: MemoryCarrier | undefined;
  cutAfterBytes = Infinity;
  isStalled = false;
  readonly #line: Line;
  readonly #parcels = new Fifo<Parcel>();
  readonly #channels = new Set<MemoryChannel>();
  readonly #drain = new Signal();
  readonly #end = deferred<string>();
  #queuedBytes = 0;
  #isScheduled = false;
  #onChannel: ((channel: Channel) => void) | undefined;
  #early: Channel[] = [];

  constructor(line: Line, side: Side) {
    this.#line = line;
    this.peer = side === 'worker' ? 'memory:master' : 'memory:worker';
    this.closed = this.#end.promise;
  }

  queuedBytes(): number {
    return this.#queuedBytes;
  }

  onDrain(listener: () => void): Cancel {
    return this.#drain.on(listener);
  }

  openChannel(subsystem: Subsystem): Promise<Channel> {
    const { other } = this;
    if (this.#line.isCut || !other) return Promise.reject(new Error('the connection is over'));
    const mine = new MemoryChannel(subsystem, this);
    const theirs = new MemoryChannel(subsystem, other);
    mine.other = theirs;
    theirs.other = mine;
    this.#channels.add(mine);
    return new Promise((resolve, reject) => {
      void mine.closed.then(() => reject(new Error('the connection is over')));
      this.post(undefined, () => {
        other.#arrived(theirs);
        resolve(mine);
      });
    });
  }

  onChannel(listener: (channel: Channel) => void): void {
    this.#onChannel = listener;
    const early = this.#early;
    this.#early = [];
    for (const channel of early) listener(channel);
  }

  destroy(reason: string): void {
    this.#line.cut(reason);
  }

  end(reason: string): void {
    this.post(undefined, () => this.#line.cut(reason));
  }

  over(reason: string): void {
    this.#parcels.clear();
    this.#queuedBytes = 0;
    for (const channel of this.#channels) channel.over();
    this.#end.resolve(reason);
  }

  forget(channel: MemoryChannel): void {
    this.#channels.delete(channel);
  }

  post(bytes: Uint8Array | undefined, arrive: () => void): void {
    if (this.#line.isCut) return;
    this.#parcels.push({ bytes, arrive });
    this.#queuedBytes += bytes?.byteLength ?? 0;
    this.schedule();
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#deliver();
    });
  }

  #arrived(channel: MemoryChannel): void {
    this.#channels.add(channel);
    if (this.#onChannel) this.#onChannel(channel);
    else this.#early.push(channel);
  }

  #deliver(): void {
    for (let moved = 0; moved < TURN_BYTES && !this.isStalled && !this.#line.isCut;) {
      const parcel = this.#parcels.peek();
      if (!parcel) break;
      const size = parcel.bytes?.byteLength ?? 0;
      if (size > this.cutAfterBytes) return this.#line.cut();
      this.cutAfterBytes -= size;
      this.#parcels.shift();
      this.#queuedBytes -= size;
      moved += size + 1;
      parcel.arrive();
    }
    if (this.#line.isCut) return;
    if (!this.isStalled && this.#parcels.peek()) this.schedule();
    this.#drain.emit();
  }
}

class MemoryChannel implements Channel {
  readonly subsystem: Subsystem;
  readonly closed: Promise<void>;
  other: MemoryChannel | undefined;
  readonly #carrier: MemoryCarrier;
  readonly #end = deferred();
  /** Written, but beyond the peer's window. */
  readonly #waiting = new Fifo<Uint8Array>();
  /** Arrived, but not read. */
  readonly #unread = new Fifo<Uint8Array>();
  #waitingBytes = 0;
  #windowBytes = WINDOW_BYTES;
  #listener: ((bytes: Uint8Array) => void) | undefined;
  #isPaused = false;
  #isOver = false;

  constructor(subsystem: Subsystem, carrier: MemoryCarrier) {
    this.subsystem = subsystem;
    this.#carrier = carrier;
    this.closed = this.#end.promise;
  }

  write(bytes: Uint8Array): void {
    if (this.#isOver || bytes.byteLength === 0) return;
    this.#waiting.push(Uint8Array.from(bytes));
    this.#waitingBytes += bytes.byteLength;
    this.#send();
  }

  queuedBytes(): number {
    return this.#waitingBytes;
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#listener = listener;
    this.#read();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#read();
  }

  close(): void {
    if (this.#isOver) return;
    const { other } = this;
    this.#carrier.post(undefined, () => other?.over());
    this.over();
  }

  over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting.clear();
    this.#unread.clear();
    this.#carrier.forget(this);
    this.#end.resolve();
  }

  #send(): void {
    const { other } = this;
    if (!other) return;
    while (this.#windowBytes > 0) {
      const bytes = this.#waiting.shift();
      if (!bytes) return;
      this.#waitingBytes -= bytes.byteLength;
      this.#windowBytes -= bytes.byteLength;
      this.#carrier.post(bytes, () => other.#arrive(bytes));
    }
  }

  #arrive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#unread.push(bytes);
    this.#read();
  }

  #read(): void {
    while (!this.#isPaused && this.#listener) {
      const bytes = this.#unread.shift();
      if (!bytes) return;
      const { other } = this;
      this.#carrier.post(undefined, () => other?.adjust(bytes.byteLength));
      this.#listener(bytes);
      // Whoever kept them has kept nothing.
      bytes.fill(0xee);
    }
  }

  adjust(bytes: number): void {
    this.#windowBytes += bytes;
    this.#send();
  }
}
