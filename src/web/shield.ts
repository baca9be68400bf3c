import type { Context, Next } from 'koa';
import { CONTENT_POLICY } from './pages/page.ts';
import { WebError } from './problem.ts';

/** No request has a longer body: no form here has much to say. */
const BODY_MAX = 64 * 1024;
const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': CONTENT_POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // Not `no-referrer`: that would also hide from us where a form comes from.
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const;

export async function setHeaders(ctx: Context, next: Next): Promise<void> {
  ctx.set(HEADERS);
  await next();
}

/** Keeps out what no page or program of ours sends. `names`: by which this web may be asked, whatever the port. */
export function shield(names: readonly string[]) {
  return async (ctx: Context, next: Next): Promise<void> => {
    checkHost(ctx, names);
    checkBody(ctx);
    if (!SAFE_METHODS.includes(ctx.method)) checkOrigin(ctx);
    await next();
  };
}

/** A page of a stranger may make its own name lead here (DNS rebinding); the name then stands in the request. */
function checkHost(ctx: Context, names: readonly string[]): void {
  const [, bracketed, name] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(ctx.get('host')) ?? [];
  if (names.includes((bracketed ?? name ?? '').toLowerCase())) return;
  throw new WebError(421, `this web is asked by the name ${names.join(', ')}; "web" in master.json has the name`);
}

function checkBody(ctx: Context): void {
  const isTooLong = Number(ctx.get('content-length') || 0) > BODY_MAX;
  if (!isTooLong && ctx.get('transfer-encoding') === '') return;
  // What follows is not read.
  ctx.set('Connection', 'close');
  if (isTooLong) throw new WebError(413, `a request has at most ${BODY_MAX} bytes`);
  throw new WebError(411, 'a body is sent with its length');
}

/** A page of a stranger may send a form here. Browsers say where it comes from; programs say nothing, and have no cookies. */
function checkOrigin(ctx: Context): void {
  const site = ctx.get('sec-fetch-site');
  const origin = ctx.get('origin');
  const isOurs = origin === '' || origin === `${ctx.protocol}://${ctx.get('host')}`;
  if (isOurs && (site === '' || site === 'same-origin')) return;
  throw new WebError(403, 'this was sent by a page of another site');
}
