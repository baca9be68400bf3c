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
  /** Cuts as soon as so many more bytes of that side have arrived, be it in the middle of a frame. */
  cutAfter(side: Side, bytes: number): void;
  /** That side alone hears of a cut; the other one writes into the void, as over a half-open connection. */
  loseSight(side: Side): void;
  /** Nothing of that side arrives until it is let go on. */
  stall(side: Side): void;
  flow(side: Side): void;
  /** What is under way on different channels overtakes each other from now on, as `random` draws; a channel keeps its order. */
  shuffle(random: () => number): void;
  /** Bytes of that side that have arrived. */
  arrivedBytes(side: Side): number;
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

  loseSight(side: Side): void {
    this.ends[side].over('the line was lost sight of');
  }

  stall(side: Side): void {
    this.ends[side].isStalled = true;
  }

  flow(side: Side): void {
    this.ends[side].isStalled = false;
    this.ends[side].schedule();
  }

  shuffle(random: () => number): void {
    for (const end of [this.ends.worker, this.ends.master]) end.random = random;
  }

  arrivedBytes(side: Side): number {
    return this.ends[side].arrivedBytes;
  }
}

/** Something on its way: bytes of a channel, or what happened to it. */
interface Parcel {
  readonly bytes: Uint8Array | undefined;
  readonly arrive: (bytes: Uint8Array) => void;
  /** Whose order it keeps; without one it comes after all before it. */
  readonly channel: MemoryChannel | undefined;
}

const NOTHING = new Uint8Array(0);
/** Parcels that may overtake each other. */
const LOOSE = 64;

class MemoryCarrier implements Carrier {
  readonly peer: string;
  readonly closed: Promise<string>;
  other: MemoryCarrier | undefined;
  cutAfterBytes = Infinity;
  arrivedBytes = 0;
  isStalled = false;
  random: (() => number) | undefined;
  readonly #line: Line;
  readonly #parcels = new Fifo<Parcel>();
  /** The first of them, when they may overtake each other. */
  readonly #loose: Parcel[] = [];
  #isOver = false;
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
    if (this.#isOver || !other) return Promise.reject(new Error('the connection is over'));
    const mine = new MemoryChannel(subsystem, this);
    const theirs = new MemoryChannel(subsystem, other);
    mine.other = theirs;
    theirs.other = mine;
    this.#channels.add(mine);
    return new Promise((resolve, reject) => {
      void mine.closed.then(() => reject(new Error('the connection is over')));
      const arrive = (): void => {
        other.#arrived(theirs);
        resolve(mine);
      };
      this.post({ bytes: undefined, arrive, channel: mine });
    });
  }

  onChannel(listener: (channel: Channel) => void): void {
    this.#onChannel = listener;
    const early = this.#early;
    this.#early = [];
    for (const channel of early) listener(channel);
  }

  destroy(reason: string): void {
    if (!this.#isOver) this.#line.cut(reason);
  }

  end(reason: string): void {
    this.post({ bytes: undefined, arrive: () => this.#line.cut(reason), channel: undefined });
  }

  over(reason: string): void {
    this.#isOver = true;
    this.#parcels.clear();
    this.#loose.length = 0;
    this.#queuedBytes = 0;
    for (const channel of this.#channels) channel.over();
    this.#end.resolve(reason);
  }

  forget(channel: MemoryChannel): void {
    this.#channels.delete(channel);
  }

  post(parcel: Parcel): void {
    if (this.#isOver) return;
    this.#parcels.push(parcel);
    this.#queuedBytes += parcel.bytes?.byteLength ?? 0;
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
    if (this.#isOver) return;
    this.#channels.add(channel);
    if (this.#onChannel) this.#onChannel(channel);
    else this.#early.push(channel);
  }

  #deliver(): void {
    for (let moved = 0; moved < TURN_BYTES && !this.isStalled && !this.#isOver;) {
      const parcel = this.#next();
      if (!parcel) break;
      const bytes = parcel.bytes ?? NOTHING;
      const size = bytes.byteLength;
      const passes = Math.min(size, this.cutAfterBytes);
      const isLast = passes === this.cutAfterBytes;
      this.cutAfterBytes -= passes;
      this.#queuedBytes -= size;
      this.arrivedBytes += passes;
      moved += size + 1;
      if (passes > 0 || (size === 0 && !isLast)) parcel.arrive(bytes.subarray(0, passes));
      if (isLast) return this.#line.cut();
    }
    if (this.#isOver) return;
    if (!this.isStalled && (this.#loose.length > 0 || this.#parcels.peek())) this.schedule();
    this.#drain.emit();
  }

  #next(): Parcel | undefined {
    const { random } = this;
    if (!random) return this.#loose.shift() ?? this.#parcels.shift();
    const loose = this.#loose;
    while (loose.length < LOOSE && (loose.length === 0 || loose.at(-1)?.channel)) {
      const parcel = this.#parcels.shift();
      if (!parcel) break;
      loose.push(parcel);
    }
    const first = new Map<MemoryChannel | undefined, Parcel>();
    for (const parcel of loose) {
      if (!parcel.channel && first.size > 0) break;
      if (!first.has(parcel.channel)) first.set(parcel.channel, parcel);
    }
    const drawn = Array.from(first.values())[Math.floor(random() * first.size)];
    if (drawn) loose.splice(loose.indexOf(drawn), 1);
    return drawn;
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
    this.#carrier.post({ bytes: undefined, arrive: () => other?.over(), channel: this });
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
      this.#carrier.post({ bytes, arrive: (arrived) => other.#arrive(arrived), channel: this });
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
      const arrive = (): void => other?.adjust(bytes.byteLength);
      this.#carrier.post({ bytes: undefined, arrive, channel: this });
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
