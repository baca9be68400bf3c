import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HookServer } from '../../../support/hook-server.ts';
import { until } from '../../../support/until.ts';
import { ReportersBench } from './reporters-bench.ts';

let bench: ReportersBench;
beforeEach(async () => {
  bench = await ReportersBench.make();
  bench.reporters = [bench.webhook];
});
afterEach(() => bench.remove());

test('every trouble is posted as JSON, signed with what the file holds when it is sent', async () => {
  const secretFile = await bench.secret('secret', 'first');
  bench.reporters = [{ ...bench.webhook, secretFile }];
  await bench.secret('secret', 'of the hook\n');
  const trouble = await bench.begin();
  await bench.message('webhook', { state: 'sent' });
  await bench.end(trouble);
  await until('both are posted', () => bench.hook.posts.length === 2);
  const [begin, end] = bench.hook.posts.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  const view = {
    id: trouble.id,
    worker: 'sid',
    kind: 'missing',
    sinceMs: trouble.sinceMs,
    text: 'away for more than 1h',
  };
  expect(begin).toMatchObject({ event: 'trouble.begin', farm: 'The farm', trouble: { ...view, untilMs: null } });
  expect(end).toMatchObject({
    event: 'trouble.end',
    trouble: { ...view, untilMs: expect.any(Number), endText: 'it is back' },
  });
  for (const { headers, body } of bench.hook.posts) {
    const timestamp = String(headers['trunkline-timestamp']);
    expect(timestamp).toBe(String(Math.floor(bench.temp.clock.now() / 1_000)));
    const hmac = createHmac('sha256', 'of the hook').update(`${timestamp}.${body}`).digest('hex');
    expect(headers).toMatchObject({ 'trunkline-signature': `sha256=${hmac}`, 'content-type': 'application/json' });
  }
});

test('a 500 is tried again with the same id until it is a 200; nothing of the path is told', async () => {
  bench.hook.answer = (response, nth) => response.writeHead(nth === 1 ? 500 : 200).end();
  await bench.begin();
  const { key, lastError, to } = await bench.message('webhook', { attempts: 1 });
  expect(lastError).toBe('it answered 500');
  expect(to).toBe(new URL(bench.hook.url).origin);
  bench.temp.clock.advance(10_000);
  await bench.message('webhook', { state: 'sent', attempts: 2 });
  expect(bench.hook.posts.map(({ headers }) => headers['trunkline-id'])).toEqual([key, key]);
});

test.each([
  [429, 'waiting'],
  [503, 'waiting'],
  [404, 'given-up'],
  [400, 'given-up'],
] as const)('after a %d a message is %s', async (status, state) => {
  bench.hook.answer = (response) => response.writeHead(status).end();
  await bench.begin();
  await bench.message('webhook', { state, attempts: 1, lastError: `it answered ${status}` });
});

test('a redirect is not followed', async () => {
  const other = await HookServer.open();
  try {
    bench.hook.answer = (response) => response.writeHead(307, { location: other.url }).end();
    await bench.begin();
    const { lastError } = await bench.message('webhook', { state: 'given-up' });
    expect(lastError).toBe('it answered 307, and redirects are not followed: configure where it leads');
    expect(other.posts).toEqual([]);
  } finally {
    await other.close();
  }
});

test('a server that hangs is left after 30 s and holds no other reporter up', async () => {
  bench.reporters = [bench.webhook, { ...bench.mail, to: ['ops@example.org'] }];
  bench.hook.answer = () => undefined;
  await bench.begin();
  await bench.begin({ worker: 'other' });
  await until('it hangs', () => bench.hook.posts.length === 1);
  await until('the mails are sent', () => bench.smtp.mails.length === 2);
  bench.temp.clock.advance(30_000);
  await until('the next one is tried', () => bench.hook.posts.length === 2);
  const [second, first] = (await bench.store.outbox.list(9)).filter(({ reporter }) => reporter === 'webhook');
  expect(first).toMatchObject({ state: 'waiting', attempts: 1, lastError: 'not done within 30s' });
  expect(second).toMatchObject({ state: 'waiting', attempts: 0 });
});

test('of an answer without end only the head counts', async () => {
  let isLetGo = false;
  bench.hook.answer = (response) => {
    const piece = Buffer.alloc(16_384);
    const write = (): void => {
      while (!response.destroyed && response.write(piece));
    };
    response.on('drain', write);
    response.on('close', () => (isLetGo = true));
    response.writeHead(200);
    write();
  };
  await bench.begin();
  await bench.message('webhook', { state: 'sent', attempts: 1 });
  await until('the answer is let go of', () => isLetGo);
});

test('a secret that others may read, or that is not there, is told and tried again', async () => {
  const secretFile = await bench.secret('secret', 'of the hook', 0o640);
  bench.reporters = [{ ...bench.webhook, secretFile }];
  await bench.begin();
  const { lastError } = await bench.message('webhook', { state: 'waiting', attempts: 1 });
  expect(lastError).toMatch(/^the secret file \S+secret may be opened by others \(mode 640\): chmod 600 /);
  bench.reporters = [{ ...bench.webhook, secretFile: 'nowhere' }];
  await bench.begin({ worker: 'other' });
  expect((await bench.message('webhook', { state: 'waiting', attempts: 1 })).lastError).toMatch(
    /nowhere is missing: put it there/,
  );
  expect(bench.hook.posts).toEqual([]);
});

test('nobody there is told as that; what waits for a reporter that is gone is given up', async () => {
  const { url } = bench.webhook;
  bench.reporters = [{ ...bench.webhook, url: 'http://127.0.0.1:1/secret-path' }];
  await bench.begin();
  const { lastError } = await bench.message('webhook', { state: 'waiting', attempts: 1 });
  expect(lastError).toMatch(/ECONNREFUSED|bad port/);
  expect(lastError).not.toContain('secret-path');
  bench.reporters = [{ ...bench.webhook, name: 'renamed', url }];
  bench.sender.look();
  await bench.message('webhook', { state: 'given-up', lastError: 'its reporter is not in the configuration any more' });
  expect(bench.hook.posts).toEqual([]);
});
