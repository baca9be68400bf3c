import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type ssh2 from 'ssh2';
import { afterEach, expect, it } from 'vitest';
import { KiB, MiB } from '../../../src/protocol/limits.ts';
import type { ForwardStream } from '../../../src/transport/forward-stream.ts';
import type { SshServerLimits } from '../../../src/transport/ssh-server.ts';
import { sshStand, until } from '../../support/ssh-stand.ts';

/** What each test serves at web:80; anything else is refused. */
type Take = (stream: ForwardStream) => void;

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

async function forwarding(take: Take, limits: Partial<SshServerLimits> = {}) {
  const stand = await sshStand({
    limits,
    onPerson: (call) => call.exit(0),
    onForward: ({ host, port }) => (host === 'web' && port === 80 ? { take } : { refused: 'only web:80' }),
  });
  undo.push(() => stand.close());
  const client = await stand.client({ username: 'ann', privateKey: stand.personKey.privateKey });
  return { stand, client };
}

function forward(client: ssh2.Client, host = 'web', port = 80): Promise<Duplex> {
  return new Promise((resolve, reject) =>
    client.forwardOut('127.0.0.1', 1, host, port, (error, channel) => (error ? reject(error) : resolve(channel))),
  );
}

/** A call of a verb goes there and back: the server has had a turn for all that came before. */
function roundTrip(client: ssh2.Client): Promise<unknown> {
  return new Promise((resolve, reject) =>
    client.exec('status', (error, channel) => {
      if (error) return reject(error);
      channel.on('close', resolve).resume();
    }),
  );
}

function httpServer(): Server {
  const server = createServer((request, response) => {
    void text(request).then((body) => response.end(`${request.method} ${body.length}`));
  });
  undo.push(async () => server.closeAllConnections());
  return server;
}

it('a forward is served by an HTTP server in the process, 200 of them at a time, and one more is refused', async () => {
  const server = httpServer();
  const { stand, client } = await forwarding((stream) => server.emit('connection', stream), {
    forwardsOfConnection: 200,
  });
  const channels = await Promise.all(Array.from({ length: 200 }, () => forward(client)));
  await expect(forward(client)).rejects.toThrow('200 forwards at a time are the most of one connection');
  expect(stand.server.stats().forwards).toBe(200);
  const body = 'x'.repeat(100_000);
  const answers = channels.map((channel) => text(channel));
  for (const channel of channels) {
    channel.write(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  }
  for (const answer of answers) expect(await answer).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*POST 100000/);
  await until('all are forgotten', () => stand.server.stats().forwards === 0);
});

it('all connections together have a limit, too', async () => {
  const { stand, client } = await forwarding(() => {}, { forwards: 1 });
  const other = await stand.client({ username: 'ann', privateKey: stand.personKey.privateKey });
  const first = await forward(client);
  await expect(forward(other)).rejects.toThrow('as many forwards as it can');
  first.destroy();
  await until('the first is gone', () => stand.server.stats().forwards === 0);
  await forward(other);
});

it('one person leaves forwards for others, however many connections there are', async () => {
  const { stand, client } = await forwarding(() => {}, { forwardsOfPerson: 2, forwards: 4 });
  const other = await stand.client({ username: 'ann', privateKey: stand.personKey.privateKey });
  const first = await forward(client);
  await forward(other);
  for (const one of [client, other])
    await expect(forward(one)).rejects.toThrow('2 forwards at a time are the most of one person');
  first.destroy();
  await until('the first is gone', () => stand.server.stats().forwards === 1);
  await forward(other);
});

it('anything else is refused with the reason, which fills no log, and a worker gets none', async () => {
  const { stand, client } = await forwarding(() => {});
  for (let i = 0; i < 30; i++) await expect(forward(client, 'web', 22)).rejects.toThrow('trunkline: only web:80');
  await forward(client);
  client.destroy();
  await until('the rest is told', () => stand.logged.some((line) => /more forwards.*"count":20/.test(line)));
  expect(stand.logged.filter((line) => line.startsWith('forward refused'))).toHaveLength(10);
  const worker = await stand.client({ username: 'w1', privateKey: stand.workerKey.privateKey });
  await expect(forward(worker)).rejects.toThrow();
});

it('a reader that does not read holds the server up and takes no memory, then gets every byte', async () => {
  const piece = randomBytes(256 * KiB);
  const pieces = 256;
  let producedBytes = 0;
  const { client } = await forwarding((stream) => {
    void (async () => {
      for (let i = 0; i < pieces; i++) {
        producedBytes += piece.length;
        if (!stream.write(piece)) await once(stream, 'drain');
      }
      stream.end();
    })();
  });
  const channel = await forward(client);
  await until('the window is full', () => producedBytes > 2 * MiB);
  for (let i = 0; i < 50; i++) await roundTrip(client);
  expect(producedBytes).toBeLessThan(8 * MiB);
  const sum = createHash('sha256');
  let bytes = 0;
  for await (const some of channel) {
    sum.update(some as Buffer);
    bytes += (some as Buffer).length;
  }
  const wanted = createHash('sha256');
  for (let i = 0; i < pieces; i++) wanted.update(piece);
  expect([bytes, sum.digest('hex')]).toEqual([pieces * piece.length, wanted.digest('hex')]);
});

it('a line that stands still holds up all forwards on it, and the master keeps little of what they would send', async () => {
  let producedBytes = 0;
  let waiting = 0;
  const { client } = await forwarding((stream) => {
    const piece = Buffer.alloc(64 * KiB);
    const fill = (): void => {
      while (!stream.destroyed && stream.write(piece)) producedBytes += piece.length;
      waiting++;
    };
    stream.on('drain', () => {
      waiting--;
      producedBytes += piece.length;
      fill();
    });
    stream.once('data', fill);
  });
  const channels = await Promise.all(Array.from({ length: 50 }, () => forward(client)));
  for (const channel of channels) channel.write('go');
  (client as unknown as { readonly _sock: Socket })._sock.pause();
  await until('all wait', () => waiting === 50);
  // What the line took before it stood still, and a piece or two of each; without the wait each window of 2 MiB is filled.
  expect(producedBytes).toBeLessThan(32 * MiB);
});

it('what is sent and not read ends the forward that has most of it, and not the connection', async () => {
  const streams: ForwardStream[] = [];
  const { stand, client } = await forwarding((stream) => void streams.push(stream), { forwardUnreadBytes: MiB });
  const [small, big] = [await forward(client), await forward(client)];
  small.write('hello');
  big.write(Buffer.alloc(2 * MiB - 1));
  await once(big.resume(), 'close');
  expect(stand.logged.join('\n')).toContain('too many bytes wait to be read');
  expect(streams.map(({ destroyed }) => destroyed)).toEqual([false, true]);
  expect(stand.server.stats()).toMatchObject({ connections: 1, forwards: 1 });
});

it('the end of the input does not end the answer; the end of either side forgets the forward', async () => {
  const { stand, client } = await forwarding((stream) => {
    let said = '';
    stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
    stream.on('end', () => stream.end(`you said ${said}`));
  });
  const channel = await forward(client);
  channel.end('all');
  expect(await text(channel)).toBe('you said all');
  const left = await forward(client);
  left.write('half');
  left.destroy();
  await until('both are forgotten', () => stand.server.stats().forwards === 0);
});

it('nothing moves for so long: the one who serves it is told, as by a socket', async () => {
  const server = httpServer();
  server.timeout = 50;
  const { stand, client } = await forwarding((stream) => server.emit('connection', stream));
  const channel = await forward(client);
  await once(channel.resume(), 'close');
  await until('it is forgotten', () => stand.server.stats().forwards === 0);
});

it('a withdrawn key ends the forwards with the connection', async () => {
  const streams: ForwardStream[] = [];
  const { stand, client } = await forwarding((stream) => void streams.push(stream));
  await forward(client);
  await until('it is served', () => streams.length === 1);
  stand.server.closeConnectionsOf('ann', 'the key was withdrawn');
  await until('it has ended', () => streams[0]!.destroyed && stand.server.stats().forwards === 0);
});
