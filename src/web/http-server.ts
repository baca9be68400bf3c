import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { UserMistake } from '../base/errors.ts';

export interface ServerLimits {
  /** Nothing moves on a connection for so long: it is closed, whether a request is under way or not. */
  readonly idleMs: number;
  /** A whole request takes no longer to come. */
  readonly requestMs: number;
  readonly connections: number;
}

/** How often in the time of a request it is looked at. */
const LOOKS = 10;
const HEADERS_BYTES = 16 * 1024;

/** A server within its limits. `answer` answers every error itself. */
export function makeServer(
  { idleMs, requestMs, connections }: ServerLimits,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Server {
  const times = {
    headersTimeout: requestMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: requestMs / LOOKS,
  };
  const server = createServer({ ...times, maxHeaderSize: HEADERS_BYTES }, (request, response) => {
    void answer(request, response);
  });
  server.timeout = idleMs;
  server.keepAliveTimeout = idleMs;
  server.maxConnections = connections;
  server.on('clientError', (_error, stream) => refuse(stream));
  return server;
}

/** What is no HTTP. */
function refuse(stream: Duplex): void {
  if (!stream.writable || (stream as Partial<Socket>).bytesWritten) return void stream.destroy();
  stream.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () => stream.destroy());
}

/** A name that is not the machine's own is the address to listen on. `what` and `setting` are for who reads why it cannot. */
export async function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
  what: string,
  setting: string,
): Promise<number> {
  const at = host === 'localhost' ? '127.0.0.1' : host;
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => {
      const why = `${what} cannot listen on ${at}, port ${port} ("${setting}" in master.json): ${error.message}`;
      reject(new UserMistake(why, { cause: error }));
    };
    server.once('error', failed);
    server.listen({ host: at, port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

/** With all its connections. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
