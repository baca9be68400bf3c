import type { Cancel } from '../base/clock.ts';

export const SUBSYSTEMS = ['trunkline-control', 'trunkline-session', 'trunkline-bulk', 'trunkline-mux'] as const;
export type Subsystem = (typeof SUBSYSTEMS)[number];

/** An ordered stream of bytes both ways. The worker opens it. */
export interface Channel {
  readonly subsystem: Subsystem;
  /** Queues bytes; keeps no order with other channels. Does nothing after the channel's end: only acknowledgements count. */
  write(bytes: Uint8Array): void;
  /** Bytes written that wait for the peer to make room on this channel. */
  queuedBytes(): number;
  /** The one reader; bytes that came before it was set are handed to it at once. They are only good during the call. */
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Stop and go on reading. What a paused peer sends is bounded by the channel's window. */
  pause(): void;
  resume(): void;
  close(): void;
  /** Resolves when either side has closed it or the carrier is gone; never rejects. */
  readonly closed: Promise<void>;
}

/**
 * What carries channels between a worker and a master: an SSH connection, or a pair in memory for tests. Failure rules:
 * a carrier ends once, whole; every channel ends with it; nothing throws for having come too late.
 */
export interface Carrier {
  /** For people: address and port of the peer. */
  readonly peer: string;
  /** Worker's side: the fingerprint of the host key that the master showed; undefined where there is none. */
  readonly hostKey?: string;
  /** Bytes handed to the socket that it has not taken yet. */
  queuedBytes(): number;
  /** Called when `queuedBytes` may have fallen. */
  onDrain(listener: () => void): Cancel;
  /** Worker's side; the master's rejects. */
  openChannel(subsystem: Subsystem): Promise<Channel>;
  /** Master's side: the listener must set `onData` before it returns. */
  onChannel(listener: (channel: Channel) => void): void;
  /** Ends it at once, without waiting for anything to be sent. */
  destroy(reason: string): void;
  /** Lets what is queued go out for at most `graceMs`, then ends it. */
  end(reason: string, graceMs: number): void;
  /** Resolves with a line that says why; never rejects. */
  readonly closed: Promise<string>;
}
