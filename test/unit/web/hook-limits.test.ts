import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { HOOK_LIMITS } from '../../../src/web/hooks/open-hooks.ts';
import { HOOK_BODY_MAX } from '../../../src/web/hooks/read-body.ts';
import { pushOf, sha, signed } from '../../support/forge-payloads.ts';
import { until } from '../../support/until.ts';
import { SECRET, TryHooks } from './try-hooks.ts';

const BODY = JSON.stringify(pushOf('github'));
const HEADERS = signed('github', 'push', BODY, SECRET);
const MIB = 1024 * 1024;

let hooks: TryHooks;
const open = async (more: object = {}): Promise<void> => {
  hooks = await TryHooks.open({ ...HOOK_LIMITS, requestMs: 2_000 }, more);
};
afterEach(() => hooks.farm.close());

function head(more: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ host: 'x', ...HEADERS, ...more }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /hooks/github/kate HTTP/1.1\r\n${lines.join('')}\r\n`;
}

async function post(): Promise<number | undefined> {
  return (await hooks.post('/hooks/github/kate', BODY, HEADERS).catch(() => undefined))?.status; // It may be cut off.
}

/** What comes back, until the other side ends it. */
async function said(socket: Socket): Promise<string> {
  let words = '';
  socket.setEncoding('utf8').on('data', (piece: string) => (words += piece));
  await once(socket, 'close');
  return words;
}

test('50 MB are refused by their length, before they come, and the connection is closed', async () => {
  await open();
  for (const more of [{}, { expect: '100-continue' }]) {
    const socket = hooks.connect();
    socket.write(head({ 'content-length': String(50_000_000), ...more }));
    const answer = await said(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 413 .*\r\n/);
    expect(answer).toContain(`"detail":"a webhook has at most ${HOOK_BODY_MAX} bytes"`);
  }
});

test('of a body whose length nobody said nothing is read, however it comes', async () => {
  await open();
  for (const piece of [`${MIB.toString(16)}\r\n${'x'.repeat(MIB)}\r\n`, '1\r\nx\r\n'.repeat(10_000)]) {
    const socket = hooks.connect();
    let answer = '';
    socket.setEncoding('utf8').on('data', (words: string) => (answer += words));
    socket.write(head({ 'transfer-encoding': 'chunked' }));
    // As fast as it is taken; what is not taken any more ends it.
    for (let sent = 0; sent < 50 && !socket.destroyed; sent++) {
      if (!socket.write(piece))
        await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
    }
    await until('the connection is closed', () => socket.destroyed);
    // Of the answer little or nothing comes to one who goes on.
    expect(answer).toMatch(/^(?:HTTP\/1\.1 411 |$)/);
    // What the kernel's buffers hold of it was never read.
    expect(socket.bytesWritten).toBeLessThan(30 * MIB);
  }
  expect(hooks.logged.find((line) => line.includes('a webhook was refused'))).toContain(
    'a webhook is sent with its length',
  );
  expect(await post()).toBe(200);
});

test('one address does not take the places of all others', async () => {
  await open();
  const ends: Promise<unknown>[] = [];
  const sockets = Array.from({ length: HOOK_LIMITS.connectionsOfAddress + 3 }, () => hooks.connect());
  let closed = 0;
  for (const socket of sockets) {
    socket.on('close', () => (closed += 1));
    ends.push(once(socket, 'close'));
  }
  await until('those that are too many are closed', () => closed === 3);
  sockets[0]?.destroy();
  await until('a place is free', async () => (await post()) === 200 || undefined);
  for (const socket of sockets) socket.destroy();
  await Promise.all(ends);
});

test('a body byte by byte is taken, and one that never ends is ended', async () => {
  await open();
  const slow = hooks.connect();
  const body = JSON.stringify(pushOf('github', { commits: ['slow'] }));
  const headers = signed('github', 'push', body, SECRET);
  slow.write(head({ ...headers, 'content-length': String(body.length), connection: 'close' }));
  const answer = said(slow);
  for (const byte of body) {
    if (!slow.write(byte)) await once(slow, 'drain');
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
  expect((await hooks.changes())[0]?.revision).toBe(sha('slow'));
  const endless = hooks.connect();
  endless.write(head({ 'content-length': '1000' }) + '{');
  expect(await said(endless)).toMatch(/^HTTP\/1\.1 4\d\d /);
  const headless = hooks.connect();
  headless.write('POST /hooks/github/kate HTTP/1.1\r\nx: ');
  expect(await said(headless)).toMatch(/^HTTP\/1\.1 4\d\d /);
  // Who goes in the middle is no error of the master's.
  const gone = hooks.connect();
  gone.write(head({ 'content-length': '1000' }) + '{', () => gone.destroy());
  await until(
    'it is told',
    () => hooks.logged.some((line) => line.includes('the body did not come whole')) || undefined,
  );
  expect(hooks.logged.filter((line) => line.includes('a web request failed'))).toEqual([]);
});

test('an address that guesses is not heard any more, and costs one line a minute', async () => {
  await open();
  const guess = { ...HEADERS, 'x-hub-signature-256': 'sha256=guess' };
  const statuses: number[] = [];
  for (let i = 0; i < 40; i++) statuses.push((await hooks.post('/hooks/github/kate', BODY, guess)).status);
  expect(statuses.indexOf(429)).toBe(HOOK_LIMITS.refused);
  expect(new Set(statuses)).toEqual(new Set([403, 429]));
  const lines = hooks.logged.filter((line) => line.includes('a webhook was refused'));
  expect(lines).toEqual([expect.stringMatching(/"address":"127\.0\.0\.1","why":"it is not signed with the secret"/)]);
});

test('the secret is read at each use; one that others may read, or that is not there, is no secret', async () => {
  await open();
  const post = async (secret: string): Promise<number> =>
    (await hooks.post('/hooks/github/kate', BODY, signed('github', 'push', BODY, secret))).status;
  await hooks.secret('another');
  expect([await post(SECRET), await post('another')]).toEqual([403, 200]);
  await hooks.secret('another', 0o644);
  const refused = await hooks.post('/hooks/github/kate', BODY, signed('github', 'push', BODY, 'another'));
  expect(refused).toMatchObject({ status: 503, body: { detail: 'this master cannot check it now: its log says why' } });
  expect((await hooks.post('/hooks/github/unreadable', BODY, HEADERS)).status).toBe(503);
});

test('behind a proxy it is the address that the proxy tells of', async () => {
  await open({ proxied: true });
  const ask = async (from: string, guess: object): Promise<number> =>
    (await hooks.post('/hooks/github/kate', BODY, { ...HEADERS, ...guess, 'x-forwarded-for': from })).status;
  const guess = { 'x-hub-signature-256': 'sha256=guess' };
  // What stands before the last one anybody may have written.
  for (let i = 0; i < 31; i++) await ask(`192.0.2.${i}, 198.51.100.7`, guess);
  expect([await ask('192.0.2.99, 198.51.100.7', {}), await ask('198.51.100.8', {})]).toEqual([429, 200]);
});
