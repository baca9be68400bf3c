import type { Cancel } from '../base/clock.ts';
import { FairQueue } from '../protocol/fair-queue.ts';
import { KiB, LIMITS, MiB } from '../protocol/limits.ts';
import type { Lane } from '../protocol/messages.ts';
import type { Carrier, Channel } from './carrier.ts';

/** Small frames of one channel are joined up to this, one SSH packet. */
const GATHER_BYTES = 32 * KiB;
/** What one session may have waiting in a data lane, and all of them together, before they are asked to hold back. */
const SESSION_QUEUE_BYTES = 128 * KiB;
const QUEUE_BYTES = 2 * MiB;
/** What may wait altogether, control messages too: a peer that does not read costs no more memory than this. */
const STUCK_BYTES = 32 * MiB;

export interface LinkWriterOptions {
  readonly carrier: Carrier;
  /** The channel of a route; undefined: there is none yet, or no more. */
  readonly channelOf: (route: string) => Channel | undefined;
  /** Frames went out. */
  readonly wrote: () => void;
  /** The peer does not read. */
  readonly stuck: (bytes: number) => void;
}

/**
 * Frames of all routes on their way to the socket. A route is a session, '' for control, or `SESSION/N` for its part in bulk
 * channel N. Little is in the socket at any time, so that what is urgent overtakes; the rest waits here, in a fair order.
 */
export class LinkWriter {
  readonly #options: LinkWriterOptions;
  readonly #queue = new FairQueue();
  /** Frames of routes that have no channel yet. */
  readonly #held = new Map<string, { readonly lane: Lane; readonly frame: Uint8Array }[]>();
  readonly #cancelDrain: Cancel;
  #heldBytes = 0;
  #isScheduled = false;
  #isOver = false;
  sentBytes = 0;

  constructor(options: LinkWriterOptions) {
    this.#options = options;
    this.#cancelDrain = options.carrier.onDrain(() => this.#pump());
  }

  send(lane: Lane, route: string, frame: Uint8Array): void {
    if (this.#isOver) return;
    if (this.#held.has(route) || !this.#options.channelOf(route)) this.#hold(lane, route, frame);
    else this.#queue.push(lane, route, frame);
    const waiting = this.#queue.totalBytes + this.#heldBytes;
    if (waiting > STUCK_BYTES) return this.#options.stuck(waiting);
    this.#schedule();
  }

  /** The route has its channel now. */
  open(route: string): void {
    const held = this.#held.get(route);
    if (!held) return;
    this.#held.delete(route);
    for (const { lane, frame } of held) {
      this.#heldBytes -= frame.byteLength;
      this.#queue.push(lane, route, frame);
    }
    this.#schedule();
  }

  /** The route's channel is gone. */
  drop(route: string): void {
    this.#queue.drop(route);
    for (const { frame } of this.#held.get(route) ?? []) this.#heldBytes -= frame.byteLength;
    this.#held.delete(route);
  }

  /** Whether more may be queued in a data lane of this route. */
  hasRoom(route: string, lane: Lane): boolean {
    return (
      this.#queue.totalBytes < QUEUE_BYTES &&
      this.#queue.bytes(route, lane) < SESSION_QUEUE_BYTES &&
      !this.#held.has(route)
    );
  }

  stop(): void {
    this.#isOver = true;
    this.#cancelDrain();
    this.#held.clear();
  }

  #hold(lane: Lane, route: string, frame: Uint8Array): void {
    const held = this.#held.get(route);
    if (held) held.push({ lane, frame });
    else this.#held.set(route, [{ lane, frame }]);
    this.#heldBytes += frame.byteLength;
  }

  /** After what runs now: what it sends goes out together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isOver) return;
    const { carrier, channelOf } = this.#options;
    let gathered: Uint8Array[] = [];
    let gatheredBytes = 0;
    let to: Channel | undefined;
    const flush = (): void => {
      const [first] = gathered;
      if (to && first) to.write(gathered.length === 1 ? first : Buffer.concat(gathered, gatheredBytes));
      if (to && to.queuedBytes() > STUCK_BYTES) this.#options.stuck(to.queuedBytes());
      gathered = [];
      gatheredBytes = 0;
    };
    while (carrier.queuedBytes() + gatheredBytes < LIMITS.socketQueueBytes) {
      const next = this.#queue.pop();
      if (!next) break;
      const channel = channelOf(next.session);
      if (!channel) continue;
      if (channel !== to || gatheredBytes + next.frame.byteLength > GATHER_BYTES) flush();
      to = channel;
      gathered.push(next.frame);
      gatheredBytes += next.frame.byteLength;
      this.sentBytes += next.frame.byteLength;
    }
    flush();
    this.#options.wrote();
    // A socket that never had too much emits no drain: go on by ourselves when it is free again.
    if (this.#queue.totalBytes > 0 && carrier.queuedBytes() < LIMITS.socketQueueBytes) this.#schedule();
  }
}
