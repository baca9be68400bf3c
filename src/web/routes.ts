import { Router } from '@koa/router';
import type { WebParts } from '../master/web-door.ts';
import { signInPage, signedOutPage } from './pages/sign-in-pages.ts';
import { statusPage } from './pages/status-page.ts';
import { WebError } from './problem.ts';
import { dropSession, readSession, writeSession } from './who.ts';
import type { WebState } from './who.ts';

const USED_UP = 'this link was used already, or is older than five minutes: "ssh … login" prints a new one';

/** What anybody may ask. */
export function openRoutes({ access, clock }: WebParts): Router {
  const router = new Router();
  router.get('/healthz', (ctx) => {
    ctx.body = 'ok\n';
  });
  router.get('/login/:code', (ctx) => {
    ctx.type = 'html';
    ctx.body = signInPage();
  });
  router.post('/login/:code', async (ctx) => {
    const signedIn = await access.signIn(ctx.params['code'] ?? '');
    if (!signedIn) throw new WebError(410, USED_UP);
    writeSession(ctx, signedIn.session, signedIn.expiresAtMs - clock.now());
    ctx.status = 303;
    ctx.redirect('/');
  });
  return router;
}

/** What only those may ask who were let in. */
export function closedRoutes({ operator, access }: WebParts): Router<WebState> {
  const router = new Router<WebState>();
  router.get('/', async (ctx) => {
    const { asker } = ctx.state;
    const [status, workers] = await Promise.all([operator.status(asker), operator.workers(asker)]);
    ctx.type = 'html';
    ctx.body = statusPage(asker, status, workers);
  });
  router.get('/api/v1/status', async (ctx) => {
    ctx.body = await operator.status(ctx.state.asker);
  });
  router.post('/logout', async (ctx) => {
    const session = readSession(ctx);
    if (session !== undefined) await access.signOut(session);
    dropSession(ctx);
    ctx.type = 'html';
    ctx.body = signedOutPage();
  });
  return router;
}
