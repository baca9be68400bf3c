import type { Duplex } from 'node:stream';
import type { Cancel } from '../base/clock.ts';

/** Bytes both ways to an address: a TCP connection, a proxy command, or a channel of the connection to a jump host. */
export interface Line {
  /** Destroying it destroys all that carries it, and the other way round. */
  readonly stream: Duplex;
  /** Bytes that wait on this machine, in the whole path. */
  queuedBytes(): number;
  /** Called when `queuedBytes` may have fallen. */
  onDrain(listener: () => void): Cancel;
}

/** A stream that carries itself. */
export function lineOf(stream: Duplex): Line {
  return {
    stream,
    queuedBytes: () => stream.writableLength,
    onDrain(listener) {
      stream.on('drain', listener);
      return () => stream.off('drain', listener);
    },
  };
}
