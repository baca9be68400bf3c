import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { JsonObject } from '../../../../src/model/json.ts';
import type { BuildView } from '../../../../src/master/views/build.ts';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const TOKEN = 'sesame-open-7421';
let farm: TryFarm;
let servers: readonly Server[];
let here: string;
let elsewhere: string;
let asked: Asked[] = [];
/** What is not answered yet. */
let open: ServerResponse[] = [];

async function serve(): Promise<Server> {
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += String(piece);
  const { method = '', url = '', headers } = request;
  asked.push({ method, url, headers, body });
  const { pathname, searchParams } = new URL(url, here);
  if (pathname === '/slow') return void open.push(response);
  // Its last bytes that a step is given are the first of what authorizes.
  if (pathname === '/edge') return void response.end('x'.repeat(65_536 - 10) + (headers.authorization ?? ''));
  if (pathname === '/long') return void response.end('x'.repeat(3_000_000));
  if (pathname === '/echo')
    return void response.setHeader('x-back', 'yes').end(`${headers.authorization ?? ''} ${body}`);
  const to = searchParams.get('to');
  response.writeHead(Number(pathname.slice(1)), to === null ? {} : { location: to }).end();
}

beforeAll(async () => {
  servers = [await serve(), await serve()];
  [here = '', elsewhere = ''] = servers.map((one) => `http://127.0.0.1:${(one.address() as AddressInfo).port}`);
  farm = await TryFarm.create(`
secrets: { token: secretFile('token', { projects: ['p'] }), hook: secretFile('hook', { projects: ['p'] }) },
workers: [worker('w', { maxBuilds: 4 })],
projects: [project('p', { schedulers: [force()], builders: [
  builder('one', { workers: ['w'], steps: [step('ask', async (ctx) => {
    const result = await ctx.http(ctx.property('ask'));
    await ctx.setProperty('told', result);
    return { result: result.ok ? 'success' : 'failure', summary: result.summary };
  })] }),
  builder('made', { workers: ['w'], steps: [
    http('ask', { url: (ctx) => ctx.property('url'), json: (ctx) => ({ build: ctx.build.number }), expect: [404, 405] }),
  ] }),
  builder('near', { workers: ['w'], steps: [step('ask', async (ctx) => {
    await ctx.http({ url: secret('hook') });
    const { ok, summary } = await ctx.http({ url: ctx.property('url'), expect: 404 });
    return { result: ok ? 'success' : 'failure', summary };
  })] }),
  builder('secret', { workers: ['w'], steps: [http('ask', {
    url: (ctx) => ctx.property('url'), method: 'PUT', headers: { Authorization: secret('token') }, json: { in: [secret('token')] },
  })] }),
  builder('prints', { workers: ['w'], steps: [sh('print', 'echo "$WORD"', { env: { WORD: (ctx) => ctx.property('word') } })] }),
  builder('knows', { workers: ['w'], secrets: ['token'], steps: [step('ask', async (ctx) => {
    await ctx.log('early', ctx.property('word'));
    const { body } = await ctx.http({ url: ctx.property('url'), headers: { authorization: secret('token') }, log: 'first' });
    await ctx.http({ url: ctx.property('url') + '?' + ctx.property('word'), log: 'second' });
    await ctx.setProperty('end', body.slice(-12));
  })] }),
] })]`);
  for (const [name, value] of Object.entries({ token: TOKEN, hook: `${here}/200?key=${TOKEN}` })) {
    await writeFile(join(farm.masterDir, name), `${value}\n`);
    await chmod(join(farm.masterDir, name), 0o600);
  }
  await farm.startMaster();
  await farm.startWorker('w');
});
beforeEach(() => {
  asked = [];
  open = [];
});
afterAll(async () => {
  for (const server of servers) server.close().closeAllConnections();
  await farm.close();
});

async function force(builder: string, properties: JsonObject): Promise<number> {
  return (await farm.operator.force(ADMIN, { project: 'p', builder }, { properties })).id;
}

async function build(builder: string, properties: JsonObject): Promise<BuildView> {
  const last = (await farm.watch(await force(builder, properties))).at(-1);
  if (last?.kind !== 'build') throw new Error(`no build of ${builder}`);
  return last.build;
}

/** `HERE` and `ELSEWHERE` in it stand for the two servers. */
const ask = (request: JsonObject & { readonly url: string }): Promise<BuildView> => {
  const url = request.url.replaceAll('ELSEWHERE', elsewhere).replaceAll('HERE', here);
  return build('one', { ask: { ...request, url } });
};
const told = (view: BuildView): unknown => view.properties.find(({ name }) => name === 'told')?.value;

test('a request is sent, and its answer told and in the log', async () => {
  const view = await ask({ url: `${here}/echo`, json: { a: 1 }, headers: { 'x-mine': 'ü' } });
  expect(asked).toMatchObject([{ method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } }]);
  expect(view).toMatchObject({ result: 'success', steps: [{ summary: 'POST: status 200' }] });
  expect(told(view)).toMatchObject({
    ok: true,
    status: 200,
    body: ' {"a":1}',
    isCut: false,
    headers: { 'x-back': 'yes' },
  });
  const log = await farm.log(view.id, 'ask', 'http');
  expect(log).toMatch(
    new RegExp(`^POST ${here}/echo\n[\\s\\S]*\n\\{"a":1\\}\n\nstatus 200 from ${here}/echo after \\d+ ms\n`),
  );
});

test('a step makes what it sends from the context, and says which statuses it expects', async () => {
  expect(await build('made', { url: `${here}/404` })).toMatchObject({ result: 'success' });
  const view = await build('made', { url: `${here}/200` });
  expect(view).toMatchObject({ result: 'failure', steps: [{ summary: 'POST: status 200' }] });
  expect(asked.map(({ body }) => body)).toEqual(['{"build":1}', '{"build":2}']);
});

test('a secret goes out in headers and bodies, and is in nothing that is kept', async () => {
  const view = await build('secret', { url: `${here}/echo` });
  expect(asked).toMatchObject([
    { method: 'PUT', body: JSON.stringify({ in: [TOKEN] }), headers: { authorization: TOKEN } },
  ]);
  const log = await farm.log(view.id, 'ask', 'http');
  expect(log).toContain(`Authorization: ${'*'.repeat(TOKEN.length)}`);
  expect(JSON.stringify(view) + log).not.toContain(TOKEN);
});

test('what is like a secret goes out as it is, and is masked where it is kept', async () => {
  const view = await build('near', { url: `${here}/404` });
  expect(view).toMatchObject({ result: 'success' });
  expect(asked.map(({ url }) => url)).toEqual([`/200?key=${TOKEN}`, '/404']);
  const logs = [await farm.log(view.id, 'ask', 'http'), await farm.log(view.id, 'ask', 'http-2')];
  expect(logs.join('')).not.toContain(TOKEN);
  expect(logs[1]).toMatch(/^GET \*{16,}/);
});

test('what is sent is what the step said, and of what comes back no half of a secret is shown', async () => {
  const view = await build('knows', { url: `${here}/edge`, word: TOKEN });
  expect(asked.map(({ url }) => url)).toEqual(['/edge', `/edge?${TOKEN}`]);
  expect(view.properties.find(({ name }) => name === 'end')?.value).toBe(`xx${'*'.repeat(10)}`);
  expect(await farm.log(view.id, 'ask', 'second')).not.toContain(TOKEN);
});

test('a log from before its build was given a secret is the same when the step is run again', async () => {
  const request = await force('knows', { url: `${here}/slow`, word: `the word is ${TOKEN}` });
  await until('it is asked', () => open.length > 0);
  await farm.stopMaster();
  open = [];
  await farm.startMaster();
  for (const nth of [1, 2]) {
    await until('it is asked again', () => open.length === nth);
    open.at(-1)?.end('ok');
  }
  expect((await farm.watch(request)).at(-1)).toMatchObject({ kind: 'build', build: { result: 'success' } });
});

test.each([
  ['the body', { json: { a: [{ kind: 'secret', name: 'token' }] } }],
  ['a header', { headers: { a: { kind: 'secret', name: 'token' } } }],
])('data that looks like a secret brings no secret into %s', async (_, request) => {
  const view = await ask({ url: 'HERE/echo', ...request });
  expect(view.steps[0]?.summary).toContain('the request has something in it that looks like the secret "token"');
  expect(view.result).toBe('exception');
  expect(asked).toEqual([]);
});

test('nor into the environment of a command', async () => {
  const view = await build('prints', { word: { kind: 'secret', name: 'token' } });
  expect(view.steps[0]?.summary).toContain('env has something in it that looks like the secret "token"');
});

describe('redirects', () => {
  const to = (url: string): string => `HERE/302?to=${url}`;
  test('are followed by what only asks', async () => {
    expect(await ask({ url: to('ELSEWHERE/echo') })).toMatchObject({ result: 'success' });
    expect(asked.map(({ url }) => url)).toEqual([expect.stringContaining('/302'), '/echo']);
  });

  test.each([
    ['with what sends', { url: to('/200'), method: 'POST' }],
    ['with credentials to another host', { url: to('ELSEWHERE/200'), headers: { authorization: 'x' } }],
    ['to what is no http', { url: to('file:///etc/passwd') }],
    ['round and round', { url: to('') }],
  ])('not %s', async (_, request) => {
    const view = await ask(request);
    expect(view).toMatchObject({ result: 'failure', steps: [{ summary: expect.stringContaining('status 302') }] });
    expect(asked.length).toBeLessThanOrEqual(6);
    expect(asked.every(({ url }) => url.startsWith('/302'))).toBe(true);
  });
});

test.each([
  ['nobody there', { url: 'http://127.0.0.1:9/' }, /^no answer from 127\.0\.0\.1:9: /],
  ['no answer in time', { url: 'HERE/slow', timeout: '200ms' }, /^no answer within 200ms$/],
  ['no URL', { url: 'nonsense' }, /"nonsense" is no URL/],
  ['a file', { url: 'file:///etc/passwd' }, /a URL of file: is not asked for/],
  ['a password', { url: 'http://a:b@127.0.0.1/' }, /a URL with a password in it/],
  [
    'a header with a line in it',
    { url: 'HERE/200', headers: { a: 'b\r\nc: d' } },
    /the header a is no text of one line/,
  ],
  ['a long time', { url: 'HERE/200', timeout: '301s' }, /timeout is longer than 5m/],
  ['a body of a GET', { url: 'HERE/200', method: 'GET', body: 'x' }, /a GET has no body/],
])('%s fails the step, and says so', async (_, request, summary) => {
  const view = await ask(request);
  expect(['failure', 'exception']).toContain(view.result);
  expect(view.steps[0]?.summary?.replace('TypeError: ', '').replace('RangeError: ', '')).toMatch(summary);
});

test('of a long answer the begin is kept', async () => {
  const view = await ask({ url: `${here}/long` });
  expect(told(view)).toMatchObject({ ok: true, isCut: true, body: 'x'.repeat(65_536) });
  const log = await farm.log(view.id, 'ask', 'http');
  expect(log.length).toBeLessThan(1_100_000);
  expect(log).toMatch(/\ntrunkline: there was more, which was not read\n$/);
});

test('a stop ends what waits for an answer', async () => {
  const request = await force('one', { ask: { url: `${here}/slow` } });
  await until('it is asked', () => open.length > 0);
  const { running } = await farm.operator.status(ADMIN);
  await farm.operator.stop(ADMIN, String(running[0]?.id), 'enough');
  expect((await farm.watch(request)).at(-1)).toMatchObject({ kind: 'build', build: { result: 'cancelled' } });
});

test('a request that was under way when the master ended is sent again only if that does no harm', async () => {
  const url = `${here}/slow`;
  const requests = [
    await force('one', { ask: { url, method: 'PUT', body: 'put' } }),
    await force('one', { ask: { url, body: 'post' } }),
    await force('one', { ask: { url, body: 'again', idempotent: true } }),
  ];
  await until('all are asked', () => open.length === 3);
  await farm.stopMaster();
  open = [];
  await farm.startMaster();
  await until('two are asked again', () => open.length === 2);
  for (const response of open) response.end('ok');
  const ends = await Promise.all(requests.map(async (id) => (await farm.watch(id)).at(-1)));
  expect(ends).toMatchObject([
    { build: { result: 'success' } },
    { build: { result: 'exception', steps: [{ summary: expect.stringContaining('the outcome of POST') }] } },
    { build: { result: 'success' } },
  ]);
  expect(asked.map(({ body }) => body).toSorted()).toEqual(['again', 'again', 'post', 'put', 'put']);
});
