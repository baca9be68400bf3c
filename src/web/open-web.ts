import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import Koa from 'koa';
import { UserMistake, errorText } from '../base/errors.ts';
import { webNames } from '../master/web-door.ts';
import type { WebDoor, WebParts, WebSettings } from '../master/web-door.ts';
import { answerErrors } from './problem.ts';
import { closedRoutes, openRoutes } from './routes.ts';
import { setHeaders, shield } from './shield.ts';
import { requireAsker } from './who.ts';

/** Nothing moves on a connection for so long: it is closed, whether a request is under way or not. */
const IDLE_MS = 60_000;
/** A whole request takes no longer to come. */
const REQUEST_MS = 30_000;
/** How often in that time it is looked at. */
const LOOKS = 10;
const HEADERS_BYTES = 16 * 1024;
/** Of a TCP port: well within the descriptors that the SSH port leaves for others. Forwards have their own limits. */
const TCP_CONNECTIONS = 64;

export interface WebLimits {
  readonly idleMs: number;
  readonly requestMs: number;
}

/**
 * Opens the web: pages and an API over the operator's verbs. Connections come as forwards of people; a TCP port is opened only
 * where the settings say so. Rejects with a UserMistake when that cannot be.
 */
export async function openWeb(
  parts: WebParts,
  limits: WebLimits = { idleMs: IDLE_MS, requestMs: REQUEST_MS },
): Promise<WebDoor> {
  const { settings, logger } = parts;
  const answer = makeApp(parts).callback();
  // It answers every error itself.
  const times = {
    headersTimeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.requestMs / LOOKS,
  };
  const server = createServer({ ...times, maxHeaderSize: HEADERS_BYTES }, (request, response) => {
    void answer(request, response);
  });
  server.timeout = limits.idleMs;
  server.keepAliveTimeout = limits.idleMs;
  server.maxConnections = TCP_CONNECTIONS;
  server.on('clientError', (_error, stream) => refuse(stream));
  if (settings.isListening) await listen(server, settings);
  // Else Node would neither watch how long a request takes nor know which connections to close: it begins with that when it listens.
  else server.emit('listening');
  server.on('error', (error) => logger.error('the web port fails', { error: error.message }));
  return {
    accept: (stream) => void server.emit('connection', stream),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function makeApp(parts: WebParts): Koa {
  const { logger, settings, access } = parts;
  const open = openRoutes(parts);
  const closed = closedRoutes(parts);
  const app = new Koa();
  // Of an answer that could not be sent; errors before that are answered.
  app.on('error', (error: unknown) => logger.info('a web answer was not sent', { error: errorText(error) }));
  app.use(setHeaders);
  app.use(answerErrors(logger));
  app.use(shield(webNames(settings)));
  app.use(open.routes());
  app.use(open.allowedMethods());
  app.use(requireAsker(access));
  app.use(closed.routes());
  app.use(closed.allowedMethods());
  return app;
}

/** What is no HTTP. */
function refuse(stream: Duplex): void {
  if (!stream.writable || (stream as Partial<Socket>).bytesWritten) return void stream.destroy();
  stream.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () => stream.destroy());
}

/** A name that is not the machine's own is the address to listen on. */
async function listen(server: Server, { host, port }: WebSettings): Promise<void> {
  const at = host === 'localhost' ? '127.0.0.1' : host;
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => {
      const why = `the web cannot listen on ${at}, port ${port} ("web" in master.json): ${error.message}`;
      reject(new UserMistake(why, { cause: error }));
    };
    server.once('error', failed);
    server.listen({ host: at, port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}
