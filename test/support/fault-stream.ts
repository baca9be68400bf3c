import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A relay before a real port that hurts what passes: holds it back, slows it down, or cuts it. */
export interface FaultStream {
  readonly port: number;
  /** Nothing passes until `flow`; the sockets stay open and say nothing, as those of a half-open connection. */
  stall(): void;
  flow(): void;
  /** Of the connections that are there nothing passes ever again, their sockets stay open; new ones are let through. */
  abandon(): void;
  /** No more than so many bytes a second pass in either direction of a connection, until `flow`. */
  slow(bytesASecond: number): void;
  /** Ends all connections abruptly. */
  cut(): void;
  /** Cuts, once, as soon as so many more bytes have passed towards the port, or back. */
  cutAfter(bytes: number, direction?: 'there' | 'back'): void;
  /** Connections that came so far. */
  connections(): number;
  /** Bytes that have passed. */
  passed(direction: 'there' | 'back'): number;
  close(): Promise<void>;
}

/**
 * `localAddress` is where the relay connects from: when nobody listens at the port, a connection from the same address could
 * be given that very port as its own, and be connected to itself.
 */
export async function faultStream(targetPort: number, localAddress = '127.0.0.1'): Promise<FaultStream> {
  const sockets = new Set<Socket>();
  const abandoned = new Set<Socket>();
  let isStalled = false;
  let pace = Infinity;
  let connections = 0;
  const left = { there: Infinity, back: Infinity };
  const passed = { there: 0, back: 0 };
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
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
      sockets.add(from);
      from.on('error', () => {});
      from.on('data', (bytes) => {
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
      for (const socket of sockets) socket.pause();
    },
    flow() {
      isStalled = false;
      pace = Infinity;
      for (const socket of sockets) socket.resume();
    },
    abandon() {
      for (const socket of sockets) socket.pause();
      for (const socket of sockets) abandoned.add(socket);
      sockets.clear();
    },
    slow(bytesASecond) {
      pace = bytesASecond;
    },
    cut,
    cutAfter(bytes, direction = 'there') {
      left[direction] = bytes;
    },
    connections: () => connections,
    passed: (direction) => passed[direction],
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      for (const socket of abandoned) socket.destroy();
      await closed;
    },
  };
}
