import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A relay before a real port that hurts what passes: holds it back, slows it down, or cuts it. */
export interface FaultStream {
  readonly port: number;
  /** Nothing passes until `flow`; the sockets stay open and say nothing, as those of a half-open connection. */
  stall(): void;
  flow(): void;
  /** Of the connections that are there nothing passes until `release`, their sockets stay open; new ones are let through. */
  abandon(): void;
  /** No more than so many bytes a second pass in either direction of a connection, until `flow`. */
  slow(bytesASecond: number): void;
  /** Bytes towards the port that are held back since then. */
  heldBytes(): number;
  /** What was held back passes, and what comes. Answers how many of the bytes towards the port found an open connection there. */
  release(): number;
  /** Ends all connections abruptly. */
  cut(): void;
  /** Cuts, once, as soon as so many more bytes have passed towards the port, or back. */
  cutAfter(bytes: number, direction?: 'there' | 'back'): void;
  /** Connections that came so far. */
  connections(): number;
  /** Those that are there now. */
  openConnections(): number;
  /** Bytes that have passed. */
  passed(direction: 'there' | 'back'): number;
  close(): Promise<void>;
}

/** One way of a connection that was abandoned. */
interface Held {
  readonly to: Socket;
  readonly direction: 'there' | 'back';
  readonly pieces: Buffer[];
}

/**
 * `localAddress` is where the relay connects from: when nobody listens at the port, a connection from the same address could
 * be given that very port as its own, and be connected to itself.
 */
export async function faultStream(targetPort: number, localAddress = '127.0.0.1'): Promise<FaultStream> {
  const sockets = new Map<Socket, Omit<Held, 'pieces'>>();
  const abandoned = new Map<Socket, Held>();
  let isStalled = false;
  let pace = Infinity;
  let connections = 0;
  const left = { there: Infinity, back: Infinity };
  const passed = { there: 0, back: 0 };
  const cut = (): void => {
    for (const socket of sockets.keys()) socket.destroy();
  };
  const holdBack = (socket: Socket, ms: number): void => {
    socket.pause();
    setTimeout(() => {
      if (!isStalled && sockets.has(socket)) socket.resume();
    }, ms);
  };
  const server = createServer((near) => {
    connections += 1;
    const far = connect({ port: targetPort, host: '127.0.0.1', localAddress, noDelay: true });
    for (const [from, to, direction] of [
      [near, far, 'there'],
      [far, near, 'back'],
    ] as const) {
      sockets.set(from, { to, direction });
      from.on('error', () => {});
      from.on('data', (bytes) => {
        const held = abandoned.get(from);
        if (held) {
          held.pieces.push(bytes);
          return;
        }
        const part = bytes.subarray(0, left[direction]);
        passed[direction] += part.length;
        left[direction] -= part.length;
        if (left[direction] > 0) {
          to.write(part);
          if (pace < Infinity) holdBack(from, (part.length / pace) * 1_000);
        } else {
          left[direction] = Infinity;
          from.pause();
          to.write(part, cut);
        }
      });
      from.on('end', () => {
        if (!abandoned.has(from)) to.end();
      });
      from.on('close', () => {
        sockets.delete(from);
        if (!abandoned.has(from)) to.destroy();
      });
      if (isStalled) from.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stall() {
      isStalled = true;
      for (const socket of sockets.keys()) socket.pause();
    },
    flow() {
      isStalled = false;
      pace = Infinity;
      for (const socket of sockets.keys()) socket.resume();
    },
    abandon() {
      // They are read: what came over a connection that was reset could not be had later.
      for (const [socket, way] of sockets) abandoned.set(socket, { ...way, pieces: [] });
      sockets.clear();
    },
    slow(bytesASecond) {
      pace = bytesASecond;
    },
    heldBytes: () => bytesThere(abandoned.values()),
    release() {
      const ways = Array.from(abandoned.values());
      const late = bytesThere(ways.filter(({ to }) => to.writable));
      for (const [from, { to, direction, pieces }] of abandoned) {
        for (const piece of pieces) to.write(piece);
        if (from.destroyed) to.end();
        else sockets.set(from, { to, direction });
      }
      abandoned.clear();
      return late;
    },
    cut,
    cutAfter(bytes, direction = 'there') {
      left[direction] = bytes;
    },
    connections: () => connections,
    openConnections: () => sockets.size / 2,
    passed: (direction) => passed[direction],
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      for (const socket of abandoned.keys()) socket.destroy();
      await closed;
    },
  };
}

function bytesThere(ways: Iterable<Held>): number {
  let sum = 0;
  for (const { direction, pieces } of ways) {
    if (direction === 'there') for (const piece of pieces) sum += piece.length;
  }
  return sum;
}
