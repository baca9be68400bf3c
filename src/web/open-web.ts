import Koa from 'koa';
import { errorText } from '../base/errors.ts';
import { webNames } from '../master/web-door.ts';
import type { WebDoor, WebParts } from '../master/web-door.ts';
import { closeServer, listen, makeServer } from './http-server.ts';
import type { ServerLimits } from './http-server.ts';
import { answerErrors } from './problem.ts';
import { closedRoutes, openRoutes } from './routes.ts';
import { setHeaders, shield } from './shield.ts';
import { requireAsker } from './who.ts';

const IDLE_MS = 60_000;
const REQUEST_MS = 30_000;
/** Of a TCP port: well within the descriptors that the SSH port leaves for others. Forwards have their own limits. */
const TCP_CONNECTIONS = 64;

export type WebLimits = Omit<ServerLimits, 'connections'>;

/**
 * Opens the web: pages and an API over the operator's verbs. Connections come as forwards of people; a TCP port is opened only
 * where the settings say so. Rejects with a UserMistake when that cannot be.
 */
export async function openWeb(
  parts: WebParts,
  limits: WebLimits = { idleMs: IDLE_MS, requestMs: REQUEST_MS },
): Promise<WebDoor> {
  const { settings, logger } = parts;
  const server = makeServer({ ...limits, connections: TCP_CONNECTIONS }, makeApp(parts).callback());
  if (settings.isListening) await listen(server, settings, 'the web', 'web');
  // Else Node would neither watch how long a request takes nor know which connections to close: it begins with that when it listens.
  else server.emit('listening');
  server.on('error', (error) => logger.error('the web port fails', { error: error.message }));
  return {
    accept: (stream) => void server.emit('connection', stream),
    close: () => closeServer(server),
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
