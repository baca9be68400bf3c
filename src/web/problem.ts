import { STATUS_CODES } from 'node:http';
import type { Context, Next } from 'koa';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { OperatorError } from '../master/operator.ts';
import type { OperatorErrorCode } from '../master/operator.ts';
import { html } from './html.ts';
import { page } from './pages/page.ts';

/** Told to the one who asks: what is wrong, and what to do. */
export class WebError extends Error {
  override readonly name = 'WebError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const STATUS_OF: Readonly<Record<OperatorErrorCode, number>> = {
  usage: 400,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  unavailable: 503,
};
const SERVER_FAULT = 'something went wrong in the master; its log says more';

/** The outermost: whatever went wrong becomes a page, or for programs a problem document (RFC 9457). */
export function answerErrors(logger: Logger, isForProgram = (path: string): boolean => path.startsWith('/api/')) {
  const tell = (ctx: Context, status: number, detail: string): void => {
    if (isForProgram(ctx.path)) tellProgram(ctx, status, detail);
    else tellPerson(ctx, status, detail);
  };
  return async (ctx: Context, next: Next): Promise<void> => {
    try {
      await next();
      if (ctx.status >= 400 && !ctx.body) tell(ctx, ctx.status, DETAILS[ctx.status] ?? 'this is not how it is asked');
    } catch (error) {
      const [status, detail] = judge(error);
      if (status >= 500) logger.error('a web request failed', { path: shownPath(ctx.path), error: errorText(error) });
      tell(ctx, status, detail);
    }
  };
}

const DETAILS: Readonly<Record<number, string>> = {
  404: 'there is nothing at this address',
  405: 'this address is asked in another way: the header Allow says how',
};

function judge(error: unknown): readonly [number, string] {
  if (error instanceof WebError) return [error.status, error.message];
  if (error instanceof OperatorError) return [STATUS_OF[error.code], error.message];
  // Koa's own, of what was sent: a path that is no UTF-8, for one.
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  if (typeof status === 'number' && status >= 400 && status < 500) return [status, errorText(error)];
  return [500, SERVER_FAULT];
}

function tellPerson(ctx: Context, status: number, detail: string): void {
  const title = STATUS_CODES[status] ?? 'Error';
  ctx.status = status;
  if (status === 401) askForToken(ctx);
  ctx.type = 'html';
  ctx.body = page(
    title,
    html`<h1>${title}</h1>
      <p>${detail}</p>`,
  );
}

function tellProgram(ctx: Context, status: number, detail: string): void {
  const title = STATUS_CODES[status] ?? 'Error';
  ctx.status = status;
  if (status === 401) askForToken(ctx);
  ctx.body = JSON.stringify({ type: 'about:blank', title, status, detail });
  ctx.type = 'application/problem+json';
}

function askForToken(ctx: Context): void {
  ctx.set('WWW-Authenticate', 'Bearer realm="trunkline"');
}

/** A path may hold a login's code. */
function shownPath(path: string): string {
  return path.replace(/^\/login\/.*/, '/login/…').slice(0, 200);
}
