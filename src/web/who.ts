import type { Context, Next } from 'koa';
import type { Asker } from '../master/operator.ts';
import type { WebAccess } from '../master/web-door.ts';
import { WebError } from './problem.ts';

/** What is known of a request. */
export interface WebState {
  asker: Asker;
}

const NOT_IN =
  'sign in first: "ssh -p PORT NAME@HOST login" prints a link; a program shows a token (Authorization: Bearer …)';

/** Lets in who shows a session or, for the API, a token. */
export function requireAsker(access: WebAccess) {
  return async (ctx: Context, next: Next): Promise<void> => {
    const asker = await askerOf(ctx, access);
    if (!asker) throw new WebError(401, NOT_IN);
    ctx.state['asker'] = asker;
    await next();
  };
}

async function askerOf(ctx: Context, access: WebAccess): Promise<Asker | undefined> {
  const authorization = ctx.get('authorization');
  if (authorization !== '') {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    return token !== undefined && ctx.path.startsWith('/api/') ? await access.askerOf('token', token) : undefined;
  }
  const session = readSession(ctx);
  return session === undefined ? undefined : await access.askerOf('session', session);
}

export function readSession(ctx: Context): string | undefined {
  return ctx.cookies.get(cookieName(ctx));
}

export function writeSession(ctx: Context, session: string, maxAgeMs: number): void {
  ctx.cookies.set(cookieName(ctx), session, { ...COOKIE, secure: ctx.secure, maxAge: maxAgeMs });
}

export function dropSession(ctx: Context): void {
  ctx.cookies.set(cookieName(ctx), '', { ...COOKIE, secure: ctx.secure, expires: new Date(0) });
}

const COOKIE = { httpOnly: true, sameSite: 'strict', path: '/', signed: false, overwrite: true } as const;

/** Browsers share cookies between the ports of a name, and on `localhost` several masters may be forwarded to. */
function cookieName(ctx: Context): string {
  return `trunkline_${/:(\d+)$/.exec(ctx.get('host'))?.[1] ?? '80'}`;
}
