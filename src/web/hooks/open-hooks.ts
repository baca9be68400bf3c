import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Router } from '@koa/router';
import Koa from 'koa';
import type { Context, Next } from 'koa';
import { errorText } from '../../base/errors.ts';
import { networkOf } from '../../base/network-of.ts';
import type { HookDoor, HookParts } from '../../master/hooks/hook-door.ts';
import { HookRefusal } from '../../master/hooks/delivery.ts';
import type { HookRefusalCode } from '../../master/hooks/delivery.ts';
import { closeServer, listen, makeServer } from '../http-server.ts';
import type { ServerLimits } from '../http-server.ts';
import { WebError, answerErrors } from '../problem.ts';
import { GUEST_LIMITS, Guests } from './guests.ts';
import type { GuestLimits } from './guests.ts';
import { BodyRoom } from './read-body.ts';

export const HOOK_LIMITS: HookLimits = {
  ...GUEST_LIMITS,
  idleMs: 15_000,
  requestMs: 30_000,
  connections: 64,
  connectionsOfAddress: 16,
};

export interface HookLimits extends ServerLimits, GuestLimits {
  /** Without a proxy, which has one address for all. */
  readonly connectionsOfAddress: number;
}

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
} as const;

const STATUS_OF: Readonly<Record<HookRefusalCode, number>> = { refused: 403, unreadable: 400, unavailable: 503 };
const TYPES = ['application/json', 'application/x-www-form-urlencoded'];
const PATH_SHOWN = 200;
/** When an address may ask again that asked too often. */
const RETRY_AFTER_S = 60;

/**
 * Opens the port to which forges post: nothing else is behind it. Who asks is nobody until the signature of what came is right,
 * and until then nothing of it is read but its bytes. Rejects with a UserMistake when it cannot listen.
 */
export async function openHooks(parts: HookParts, limits: HookLimits = HOOK_LIMITS): Promise<HookDoor> {
  const { settings, logger } = parts;
  const answer = makeApp(parts, limits).callback();
  const server = makeServer(limits, answer);
  if (!settings.isProxied) holdToPlaces(server, limits.connectionsOfAddress);
  // Who asks first whether the body may come is told so when it is read.
  server.on('checkContinue', (request, response) => void answer(request, response));
  const port = await listen(server, settings, 'the port for webhooks', 'hooks');
  server.on('error', (error) => logger.error('the port for webhooks fails', { error: error.message }));
  return { port, close: () => closeServer(server) };
}

/** Nobody takes all places, also who says nothing on them. */
function holdToPlaces(server: Server, most: number): void {
  const taken = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const network = networkOf(socket.remoteAddress ?? '');
    const count = (taken.get(network) ?? 0) + 1;
    taken.set(network, count);
    socket.once('close', () => {
      const left = (taken.get(network) ?? 1) - 1;
      if (left > 0) taken.set(network, left);
      else taken.delete(network);
    });
    if (count > most) socket.destroy();
  });
}

function makeApp({ settings, take, clock, logger }: HookParts, limits: HookLimits): Koa {
  const guests = new Guests(clock, logger, limits);
  const room = new BodyRoom();
  const router = new Router();
  router.post('/hooks/:forge/:project', async (ctx) => {
    checkType(ctx);
    const body = await room.read(ctx);
    const { forge = '', project = '' } = ctx.params;
    ctx.body = await take({ forge, project, body, header: (name) => ctx.get(name) });
  });
  const app = new Koa({ proxy: settings.isProxied, maxIpsCount: 1 });
  // Of an answer that could not be sent; errors before that are answered.
  app.on('error', (error: unknown) => logger.debug('a webhook was not answered', { error: errorText(error) }));
  app.use(async (ctx, next) => {
    ctx.set(HEADERS);
    await next();
  });
  app.use(answerErrors(logger, () => true));
  app.use(count(guests));
  app.use(router.routes());
  app.use(router.allowedMethods());
  return app;
}

/** Who was refused begins anew: of what he sends on the connection no more is read. */
function count(guests: Guests) {
  return async (ctx: Context, next: Next): Promise<void> => {
    const address = ctx.ip;
    const refuse = (why: string): void => {
      ctx.set('Connection', 'close');
      guests.refuse(address, why, { path: ctx.path.slice(0, PATH_SHOWN) });
    };
    try {
      if (!guests.enter(address)) throw tooMuch(ctx);
      await next();
      if (ctx.status >= 400) refuse(`status ${ctx.status}`);
    } catch (error) {
      refuse(error instanceof HookRefusal ? error.why : errorText(error));
      throw error instanceof HookRefusal ? new WebError(STATUS_OF[error.code], error.message) : error;
    } finally {
      guests.leave(address);
    }
  };
}

function tooMuch(ctx: Context): WebError {
  ctx.set('Retry-After', String(RETRY_AFTER_S));
  return new WebError(429, 'too much came from this address, or too much that was refused: wait a minute');
}

function checkType(ctx: Context): void {
  const isPlain = ['', 'identity'].includes(ctx.get('content-encoding'));
  if (isPlain && ctx.is(TYPES)) return;
  throw new WebError(415, 'a webhook is sent as application/json: choose that where you set it up');
}
