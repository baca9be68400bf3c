import type { Cancel } from '../base/clock.ts';
import type { Fields, Message, MessageType } from '../protocol/messages.ts';

/** How a link ended. */
export interface LinkEnd {
  /** `goodbye` by either side, `dead` (no byte for too long), `lost` (the line), `protocol` (the peer broke a rule), `closed` by us. */
  readonly cause: 'goodbye' | 'dead' | 'lost' | 'protocol' | 'closed';
  readonly message: string;
  /** Of the peer's goodbye. */
  readonly code?: string;
  readonly retryAfterMs?: number;
}

/** What every `log.append` frame of a chunk says. */
export type ChunkHead = Omit<Fields<'log.append'>, 'size' | 'position' | 'bytes'>;

/**
 * Messages over one carrier, after the greeting. Frames of all sessions share the socket fairly: control before acks before
 * logs before file bodies, sessions by deficit round robin, no more than a bounded queue in the socket. What is sent after
 * the end is dropped without a word: nothing counts as delivered but what the peer acknowledges.
 */
export interface Link {
  /** The carrier's peer, for people. */
  readonly peer: string;
  /** Queues a message in its lane. Data lanes (`log`, `bulk`): call only while `room` says so. */
  send<T extends MessageType>(type: T, session: string, fields: Fields<T>): void;
  /** Payload bytes that may be sent now in a data lane of a session, by credit and by what is queued; 0 = wait for `onRoom`. */
  room(session: string, lane: 'log' | 'bulk'): number;
  onRoom(listener: (session: string) => void): Cancel;
  /**
   * Worker: queues all frames of a log chunk, or none and answers false: wait for `onRoom`. Whole, because the master gives
   * credit back only for whole chunks: many that are begun and none that can be ended would wait for each other for ever.
   */
  sendChunk(session: string, head: ChunkHead, body: Uint8Array): boolean;
  /**
   * All messages but the link's own (greeting, ping, credit, channels), in the order of arrival of each session; `wireBytes`
   * is the length of the message's frame, for `consumed`. What came before the first listener waits for it.
   */
  onMessage(listener: (message: Message, wireBytes: number) => void): Cancel;
  /** Master: binds a spare channel to the session (asking for more when they run short); what is sent before one is there waits. */
  bindSession(session: string): void;
  /** Gives the session's channel up. */
  releaseSession(session: string): void;
  /** Master: so many more wire bytes of this session's logs were dealt with; grants them again. */
  consumed(session: string, wireBytes: number): void;
  /** Says goodbye and ends. */
  close(goodbye: { readonly code: string; readonly message: string; readonly retryAfterMs?: number }): void;
  /** Pings before it is due: the peer is to hear of what has changed. */
  pingNow(): void;
  /** Ends at once, without a word. */
  destroy(reason: string): void;
  readonly closed: Promise<LinkEnd>;
  /** Open channels, frames and bytes both ways, for pages and tests. */
  stats(): { readonly channels: number; readonly sentBytes: number; readonly receivedBytes: number };
}

/** What the worker told of itself with its last ping. */
export type Vitals = Omit<Fields<'ping'>, 'n'>;

/** The master's end. */
export interface MasterLink extends Link {
  /** Pings now; true as soon as any byte comes, false when none came within `timeoutMs` or the link ended. */
  probe(timeoutMs: number): Promise<boolean>;
  /** When any byte came last, by the monotonic clock; not earlier than any ping that was answered. */
  heardAtMs(): number;
  vitals(): Vitals;
}
