import { once } from 'node:events';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import ssh2 from 'ssh2';
import { afterEach, expect, test } from 'vitest';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import type { SshServerLimits } from '../../../src/transport/ssh-server.ts';
import { sshStand, until } from '../../support/ssh-stand.ts';
import type { SshStand } from '../../support/ssh-stand.ts';

const stands: SshStand[] = [];
afterEach(async () => {
  for (const one of stands.splice(0)) await one.close();
});

async function stand(limits: Partial<SshServerLimits> = {}): Promise<SshStand> {
  const made = await sshStand({ limits });
  stands.push(made);
  return made;
}

/** A real line on which each byte is written for itself; those after `most` never are. */
function byByte(port: number, most = Number.POSITIVE_INFINITY) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let written = 0;
  const line = new Duplex({
    read: () => socket.resume(),
    async write(bytes: Buffer, _encoding, done: () => void) {
      for (const byte of bytes) {
        if (written === most) return;
        written++;
        await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
      }
      done();
    },
    destroy: (error, done) => done(socket.destroy() && error),
  });
  socket.on('data', (bytes) => {
    if (!line.push(bytes)) socket.pause();
  });
  socket.on('error', () => line.destroy());
  socket.on('close', () => line.destroy());
  return { line, written: () => written };
}

test('a login byte by byte gets in; one that stops before its end is cut off at the grace, and keeps nobody out', async () => {
  const patient = await stand();
  const whole = byByte(patient.server.port);
  await patient.client({ username: 'ann', privateKey: patient.personKey.privateKey, sock: whole.line });
  const all = whole.written();
  const made = await stand({ loginGraceMs: 4_000 });
  const { server, personKey } = made;
  const login = { username: 'ann', privateKey: personKey.privateKey };
  // In the identification, among the algorithms, in the keys, and one byte before it would be in.
  const stuck = [4, 300, Math.floor(all * 0.8), all - 1].map((most) => {
    const { line } = byByte(server.port, most);
    const one = new ssh2.Client().on('error', () => undefined);
    one.connect({ ...login, sock: line, readyTimeout: 0 });
    return once(line, 'close');
  });
  await made.client(login);
  await Promise.all(stuck);
  await until('they are forgotten', () => server.stats().loggingIn === 0 && server.stats().connections === 1);
});

/** A client that shows one key again and again when it is told to; each answer's time is noted. */
function guesser(port: number, username: string, key: string) {
  const client = new ssh2.Client();
  const answers: number[] = [];
  let begin = (): void => undefined;
  const told = new Promise<void>((resolve) => (begin = resolve));
  let askedAtMs = 0;
  let isAsked = false;
  let isReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  const note = (): void => {
    if (isAsked) answers.push(performance.now() - askedAtMs);
    isAsked = false;
  };
  const show = async (next: (method: unknown) => void): Promise<void> => {
    await told;
    isAsked = true;
    askedAtMs = performance.now();
    next({ type: 'publickey', username, key });
  };
  // What it returns would be taken for an answer.
  const authHandler = (_left: unknown, _partial: unknown, next: (method: unknown) => void): void => {
    note();
    isReady();
    void show(next);
  };
  client.on('error', () => undefined);
  // Not by `once`, which would reject when the line is reset: how it closes does not matter.
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve())).then(note);
  client.connect({ host: '127.0.0.1', port, username, readyTimeout: 0, authHandler: authHandler as never });
  return { answers, begin, ready, closed };
}

test('guesses of one address, name and key are answered later and later, over all its connections; another key is not', async () => {
  const { server } = await stand();
  const [key, other] = [makeKeyPair('guess').privateKey, makeKeyPair('other').privateKey];
  const first = guesser(server.port, 'ann', key);
  first.begin();
  await first.closed;
  // Three tries a connection; a timer may be early by a moment.
  expect(first.answers).toHaveLength(3);
  for (const [index, ms] of [100, 200, 400].entries()) expect(first.answers[index]).toBeGreaterThan(ms * 0.95);

  const order: string[] = [];
  const again = guesser(server.port, 'ann', key);
  const others = [guesser(server.port, 'ann', other), guesser(server.port, 'bob', key)];
  await Promise.all([again, ...others].map(({ ready }) => ready));
  for (const [index, one] of others.entries()) void one.closed.then(() => order.push(`other ${index}`));
  void again.closed.then(() => order.push('again'));
  // Those end after 700 ms, and it after 5600.
  for (const { begin } of [...others, again]) begin();
  await until('those have ended', () => order.length === 2);
  expect(order.toSorted()).toEqual(['other 0', 'other 1']);
  await until('it has one answer more', () => again.answers.length > 0);
  expect(again.answers[0]).toBeGreaterThan(800 * 0.95);
});

test('while somebody guesses on and on, whoever has a key gets in from the same address', async () => {
  const made = await stand();
  const { server, personKey } = made;
  const over = new AbortController();
  const key = makeKeyPair('guess').privateKey;
  let rounds = 0;
  const guessing = Array.from({ length: 8 }, async () => {
    while (!over.signal.aborted) {
      const one = guesser(server.port, `name-${++rounds}`, key);
      one.begin();
      await one.closed;
    }
  });
  await until('they are at it', () => rounds > 8);
  for (let i = 0; i < 3; i++) await made.client({ username: 'ann', privateKey: personKey.privateKey });
  over.abort();
  await Promise.all(guessing);
  await until('they are forgotten', () => server.stats().connections === 3);
});
