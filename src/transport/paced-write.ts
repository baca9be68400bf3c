import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LIMITS } from '../protocol/limits.ts';
import { rekeyQueueBytes } from './ssh2-internals.ts';

export interface PacedOutput {
  readonly channel: Duplex;
  readonly socket: Socket;
  /** ssh2's connection. */
  readonly connection: object;
  /** Aborted when the reader is gone. */
  readonly signal: AbortSignal;
}

const PIECE_BYTES = 64 * 1024;
/** While keys are exchanged, nothing tells when the bytes that wait for that may go. */
const KEY_EXCHANGE_LOOK_MS = 20;

/**
 * Writes into a channel no faster than its reader reads; resolves when all of it is on its way, or the reader is gone. ssh2 tells
 * only of the channel's window: what waits in the socket is watched here.
 */
export async function writePaced(output: PacedOutput, bytes: Uint8Array): Promise<void> {
  const { channel, socket, connection, signal } = output;
  const isOver = (): boolean => signal.aborted || !channel.writable;
  for (let at = 0; at < bytes.length && !isOver(); at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    // The callback comes when the window took it all; never, when the channel was closed meanwhile.
    await orGone(output, (done) => channel.write(piece, done));
    while (!isOver() && socket.writableLength + rekeyQueueBytes(connection) > LIMITS.socketQueueBytes) {
      await orGone(output, (done) =>
        socket.writableNeedDrain ? socket.once('drain', done) : setTimeout(done, KEY_EXCHANGE_LOOK_MS),
      );
    }
  }
}

/** Resolves when the step is done, or the reader is gone: ssh2 forgets the callbacks of dead channels. */
export function orGone({ signal, socket }: PacedOutput, step: (done: () => void) => unknown): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      signal.removeEventListener('abort', done);
      socket.off('drain', done);
      resolve();
    };
    signal.addEventListener('abort', done);
    step(done);
  });
}
