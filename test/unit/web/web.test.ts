import { connect } from 'node:net';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NewTokenView, TokenWish } from '../../../src/master/views/pass.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import { until } from '../../support/until.ts';
import { ADMIN } from '../master/try-farm.ts';
import { TryWeb } from './try-web.ts';

let web: TryWeb;
beforeAll(async () => {
  web = await TryWeb.open();
});
afterAll(() => web.close());

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const addToken = (wish: TokenWish): Promise<NewTokenView> => web.farm.operator.addToken(ADMIN, wish);
const status = async (headers: Readonly<Record<string, string>>): Promise<number> =>
  (await web.ask('/api/v1/status', { headers })).status;

test('all but /healthz and the link is closed, and says how it opens', async () => {
  expect(await web.ask('/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
  for (const path of ['/', '/nothing', '/logout', '/login', '/healthz/x']) {
    const { status: code, body, headers } = await web.ask(path);
    expect([path, code, headers['content-type']]).toEqual([path, 401, 'text/html; charset=utf-8']);
    expect(body).toContain('login');
  }
  for (const path of ['/api/v1/status', '/api/nothing']) {
    const { status: code, headers, body } = await web.ask(path);
    expect([code, headers['content-type']]).toEqual([401, 'application/problem+json']);
    expect(headers['www-authenticate']).toContain('Bearer');
    expect(JSON.parse(body)).toMatchObject({ type: 'about:blank', title: 'Unauthorized', status: 401 });
  }
});

test('nothing of it is kept by a cache, framed, or may load or run anything', async () => {
  for (const path of ['/', '/healthz', '/api/v1/status', '/login/x']) {
    const { headers } = await web.ask(path);
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['content-security-policy']).toMatch(/^default-src 'none';(?!.*script-src).*frame-ancestors 'none'/);
    expect(headers['x-content-type-options']).toBe('nosniff');
  }
});

test('a link signs one browser in: a look at it uses nothing up, its button does', async () => {
  const { url, expiresAtMs } = await web.farm.operator.login(ADMIN);
  expect(expiresAtMs - Date.now()).toBeLessThanOrEqual(300_000);
  expect(url).toMatch(/^http:\/\/localhost:8080\/login\/tll_/);
  const path = new URL(url).pathname;
  for (let i = 0; i < 3; i++) expect((await web.ask(path)).body).toContain('<form method="post"><button>Sign in');
  const [first, second] = [await web.ask(path, { method: 'POST' }), await web.ask(path, { method: 'POST' })];
  expect([first.status, first.headers.location, second.status]).toEqual([303, '/', 410]);
  const [cookie = ''] = first.headers['set-cookie'] ?? [];
  expect(cookie).toMatch(/^trunkline_\d+=tls_[^;]+; path=\/; expires=[^;]+; samesite=strict; httponly$/);
  const headers = { cookie: cookie.split(';')[0] ?? '' };
  const page = await web.ask('/', { headers });
  expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  for (const words of ['<h1>Try</h1>', 'Nothing runs', 'Nothing waits', '0 of 1 workers', 'admin, operator'])
    expect(page.body).toContain(words);
  expect((await web.ask('/nothing', { headers })).status).toBe(404);
  expect((await web.ask('/', { method: 'DELETE', headers })).status).toBe(405);
  expect(JSON.parse((await web.ask('/api/v1/status', { headers })).body)).toEqual(
    await web.farm.operator.status(ADMIN),
  );
  const left = await web.ask('/logout', { method: 'POST', headers });
  expect([left.status, left.headers['set-cookie']?.[0]]).toEqual([200, expect.stringContaining('=; ')]);
  expect((await web.ask('/', { headers })).status).toBe(401);
});

test('of two who press at the same moment one is let in', async () => {
  const path = new URL((await web.farm.operator.login(ADMIN)).url).pathname;
  const answers = await Promise.all(Array.from({ length: 8 }, () => web.ask(path, { method: 'POST' })));
  expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([
    303,
    ...Array<number>(7).fill(410),
  ]);
});

test('a session outlives the master, and not the key that it was made with', async () => {
  const [key = ''] = await web.keys('readers', 'rita');
  await until('rita is known', () => web.farm.operator.login({ name: 'rita', role: 'reader' }).catch(() => false));
  const cookie = await web.signIn('rita', 'reader');
  const token = await web.farm.operator.addToken({ name: 'rita', role: 'reader' }, { label: 'ci' });
  await web.stop();
  await web.start();
  // The port is another one: so is the cookie's name.
  const session = (): Record<string, string> => ({ cookie: cookie.replace(/_\d+=/, `_${web.port}=`) });
  expect(await status(session())).toBe(200);
  const next = makeKeyPair('rita').publicKeyLine;
  await web.keys('readers', 'rita', key, next);
  await web.keys('readers', 'rita', next);
  await until('the session has ended with its key', async () => (await status(session())) === 401);
  // A program goes on while its person is there.
  expect(await status(bearer(token.token).headers)).toBe(200);
  await web.removeKeys('readers', 'rita');
  await until('the token has ended with its person', async () => (await status(bearer(token.token).headers)) === 401);
  // Another of the same name is somebody else.
  await web.keys('readers', 'rita');
  await until('the new one is known', () =>
    web.farm.operator.login({ name: 'rita', role: 'reader' }).catch(() => false),
  );
  expect(await status(bearer(token.token).headers)).toBe(401);
});

test('a token opens the API alone, up to its time and its end', async () => {
  const token = await addToken({ label: 'dash board' });
  expect(token).toMatchObject({ who: 'admin', role: 'reader', label: 'dash board' });
  expect((await web.ask('/api/v1/status', bearer(token.token))).status).toBe(200);
  expect((await web.ask('/', bearer(token.token))).status).toBe(401);
  // Whoever shows a wrong token is not let in by a good cookie beside it.
  const cookie = await web.signIn('admin', 'operator');
  expect(await status({ cookie, authorization: `Bearer ${token.token}x` })).toBe(401);
  const other = token.token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  expect(await status(bearer(other).headers)).toBe(401);
  expect(await status({ cookie: cookie.replace('tls_', 'tlt_') })).toBe(401);
  expect(await status(bearer((await addToken({ label: 'short', expires: '1ms' })).token).headers)).toBe(401);
  expect((await web.farm.operator.tokens(ADMIN)).map(({ label }) => label)).toEqual(['dash board']);
  expect(await web.farm.operator.revokeToken(ADMIN, token.id)).toBe(token.id);
  expect(await status(bearer(token.token).headers)).toBe(401);
  // As whoever finds one somewhere has it.
  const found = await addToken({ label: 'found' });
  expect(await web.farm.operator.revokeToken(ADMIN, found.token)).toBe(found.id);
  expect(await status(bearer(found.token).headers)).toBe(401);
});

test('a token is for nobody above its person, and strangers cannot revoke it', async () => {
  const dave = { name: 'dave', role: 'developer' } as const;
  await web.keys('developers', 'dave');
  await until('dave is known', () => web.farm.operator.login(dave).catch(() => false));
  await expect(web.farm.operator.addToken(dave, { label: 'x', role: 'operator' })).rejects.toThrow('may not be more');
  for (const wish of [
    { label: ' ' },
    { label: 'x', role: 'worker' },
    { label: 'x', expires: '2 days' },
    { label: 'x', expires: '400d' },
  ])
    await expect(web.farm.operator.addToken(dave, wish)).rejects.toMatchObject({ code: 'usage' });
  const mine = await addToken({ label: 'mine', role: 'operator' });
  await expect(web.farm.operator.revokeToken(dave, mine.id)).rejects.toMatchObject({ code: 'not-found' });
  expect(await web.farm.operator.tokens(dave)).toEqual([]);
});

test('no secret is in the log, in the audit log or in the database', async () => {
  const token = await addToken({ label: 'secret' });
  const cookie = await web.signIn('admin', 'operator');
  const { url } = await web.farm.operator.login(ADMIN);
  await web.ask('/api/v1/status', bearer(token.token));
  const files = ['trunkline.sqlite', 'trunkline.sqlite-wal'].map((name) =>
    readFile(join(web.farm.masterDir, 'state', name), 'latin1').catch(() => ''),
  );
  const all = [...(await Promise.all(files)), ...web.logged].join('\n');
  expect(all).toContain(token.id);
  for (const secret of [token.token, cookie.split('=')[1] ?? 'none', url.split('/').at(-1) ?? 'none'])
    expect(all).not.toContain(secret.slice(-32));
});

test('another name, another site, and what has no end are refused', async () => {
  const cookie = await web.signIn('admin', 'operator');
  for (const host of ['evil.example', 'localhost.evil.example:8080', '[::2]', 'a@localhost'])
    expect([host, await status({ host, cookie })]).toEqual([host, 421]);
  for (const host of ['localhost', 'LocalHost:9000', '127.0.0.1:1', '[::1]:8080'])
    expect([host, (await web.ask('/healthz', { headers: { host } })).status]).toEqual([host, 200]);
  const post = async (headers: Readonly<Record<string, string>>): Promise<number> =>
    (await web.ask('/logout', { method: 'POST', headers: { cookie, ...headers } })).status;
  expect(await post({ origin: 'http://evil.example' })).toBe(403);
  expect(await post({ origin: 'null' })).toBe(403);
  expect(await post({ 'sec-fetch-site': 'same-site' })).toBe(403);
  expect(await post({ 'transfer-encoding': 'chunked' })).toBe(411);
  expect(await post({ 'content-length': '70000' })).toBe(413);
  expect(await status({ cookie })).toBe(200);
  expect(await post({ origin: `http://127.0.0.1:${web.port}`, 'sec-fetch-site': 'same-origin' })).toBe(200);
});

test.each([
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['two lengths', 'POST /logout HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  [
    'a length and chunks',
    'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['chunks that are none', 'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n'],
  ['a blank before the colon', 'GET / HTTP/1.1\r\nHost : localhost\r\n\r\n'],
  ['no host', 'GET /healthz HTTP/1.1\r\n\r\n'],
  ['a line end alone', 'GET /healthz HTTP/1.1\nHost: localhost\n\n'],
  ['a header without end', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(64 * 1024)}`],
])('%s is refused, and the connection closed', async (_what, bytes) => {
  expect(await web.send(`${bytes}GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`)).toMatch(
    /^(HTTP\/1\.1 4\d\d [^]*)?$/,
  );
  expect((await web.ask('/healthz')).status).toBe(200);
});

test('a connection on which nothing comes, or half a request, is closed', async () => {
  const other = await TryWeb.open({ idleMs: 100, requestMs: 60_000 });
  try {
    for (const half of ['', 'GET /healthz HT']) {
      const socket = connect(other.port, '127.0.0.1');
      socket.on('error', () => {});
      if (half !== '') socket.write(half);
      await once(socket.resume(), 'close');
    }
  } finally {
    await other.close();
  }
});

test('a request that comes byte by byte without end is ended, and the end of the web ends what is open', async () => {
  const other = await TryWeb.open({ idleMs: 60_000, requestMs: 300 });
  try {
    const slow = connect(other.port, '127.0.0.1');
    slow.on('error', () => {});
    slow.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ');
    const drip = setInterval(() => slow.write('x'), 20);
    await once(slow.resume(), 'close').finally(() => clearInterval(drip));
    const open = connect(other.port, '127.0.0.1');
    open.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(open, 'data');
    const closed = once(open, 'close');
    await other.stop();
    await closed;
  } finally {
    await other.close();
  }
}, 20_000);

test('a person has no more tokens than there may be, however many are asked for at once', async () => {
  await web.keys('readers', 'rosa');
  const rosa = { name: 'rosa', role: 'reader' } as const;
  const make = (): Promise<unknown> => web.farm.operator.addToken(rosa, { label: 'many' });
  await until('rosa is known', () =>
    make().then(
      () => true,
      () => false,
    ),
  );
  const made = await Promise.allSettled(Array.from({ length: 60 }, make));
  expect(made.filter(({ status: how }) => how === 'fulfilled')).toHaveLength(49);
  expect(await web.farm.operator.tokens(rosa)).toHaveLength(50);
});
