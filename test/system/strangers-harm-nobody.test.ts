import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { ConnectConfig } from 'ssh2';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { makeKeyPair } from '../../src/transport/keys.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { pourMalformed } from '../support/malformed-packets.ts';
import { figuresOf } from '../support/process-figures.ts';
import type { ProcessFigures } from '../support/process-figures.ts';
import { RawSsh } from '../support/raw-ssh.ts';
import { RssWatch } from '../support/rss.ts';
import { SEED, seeded } from '../support/seed.ts';
import { until } from '../support/until.ts';

/**
 * By how much all of it may make the master's process grow at its worst moment: 256 connections before their login, at 256 KiB,
 * and what lies about until the collector comes to it, later on a busy machine.
 */
const GROWTH_MOST = 256 * 1024 * 1024;
/** Descriptors that the master may have more when all of it is over. */
const DESCRIPTORS_MORE = 4;
/** Of lines about strangers, that is. */
const LINES_A_MINUTE = 60;
/** `TRUNKLINE_FUZZ=20000` tries more malformed handshakes and packets; `TRUNKLINE_SEED` makes other ones. */
const HANDSHAKES = Number(process.env['TRUNKLINE_FUZZ'] ?? 2_000);
/** Of each who sends them. */
const PACKETS = Number(process.env['TRUNKLINE_FUZZ'] ?? 1_000);

let farm: Farm;
let master: Daemon;
let before: ProcessFigures;
let watch: RssWatch;
const sockets: Socket[] = [];
const privateKeys: Record<string, string> = {};

beforeAll(async () => {
  farm = await Farm.create();
  master = await farm.startMaster();
  await farm.addWorker('w');
  privateKeys['w'] = await readFile(join(farm.workerDir('w'), 'key'), 'utf8');
  privateKeys['admin'] = await readFile(farm.keyFile('admin'), 'utf8');
  before = await figuresOf(master.process.pid!);
  watch = new RssWatch(() => ({ master: master.process.pid }));
});
afterAll(async () => {
  watch.stop();
  await farm.close();
});

/** Whatever strangers do, whoever has a key comes in. */
afterEach(async () => {
  expect(master.process.exitCode).toBeNull();
  expect((await farm.ssh(['status'])).status).toBe(0);
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function knock(localAddress = '127.0.0.2'): Promise<Socket> {
  const socket = connect({ port: farm.port, host: '127.0.0.1', localAddress });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

test('hundreds of connections that say nothing, or half of a greeting, keep nobody out', async () => {
  for (let i = 0; i < 400; i++) {
    const socket = await knock(`127.0.0.${2 + (i % 3)}`);
    if (i % 2 === 0) socket.write('SSH-2.0-');
  }
  // Those over the limits wait, unread, with a descriptor each and nothing else.
  await until('they are taken', async () => {
    return (await figuresOf(master.process.pid!)).descriptors > before.descriptors + 300;
  });
  expect((await farm.ssh(['status'])).status).toBe(0);
});

test('an identification that never ends is ended', async () => {
  const socket = await knock();
  const closed = once(socket, 'close');
  socket.resume();
  socket.write('SSH-2.0-');
  const more = setInterval(() => socket.write('x'.repeat(1_000)), 1);
  await closed;
  clearInterval(more);
});

test('login names and keys without end are refused, and the log stays readable', async () => {
  const begunMs = performance.now();
  const guess = async (): Promise<void> => {
    const client = new ssh2.Client();
    client.on('error', () => undefined);
    const keys = Array.from({ length: 4 }, () => makeKeyPair('guess').privateKey);
    const username = 'admin\u001b[2J\u009b';
    client.connect({
      host: '127.0.0.1',
      port: farm.port,
      localAddress: '127.0.0.2',
      username,
      authHandler: keys.map((key) => ({ type: 'publickey', username, key })) as never,
    });
    await once(client, 'close');
  };
  const guesses = Promise.all(Array.from({ length: 45 }, guess));
  expect((await farm.ssh(['status'])).status).toBe(0);
  await guesses;
  const lines = master
    .stderr()
    .split('\n')
    .filter((line) => line.includes('login refused'));
  // Of 135 refusals; the rest is told as a number when the minute is over.
  const minutes = Math.floor((performance.now() - begunMs) / 60_000);
  expect(lines.length).toBeLessThanOrEqual(LINES_A_MINUTE * (minutes + 2));
  // oxlint-disable-next-line no-control-regex -- that is what must not be there
  expect(master.stderr()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

test('thousands of malformed handshakes leave nothing behind', async () => {
  const honest = await recorded();
  const random = seeded(SEED);
  for (let i = 0; i < HANDSHAKES; i += 20) {
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const bytes = Buffer.from(honest);
        const from = random() < 0.5 ? 'SSH-2.0-trunkline\r\n'.length : 0;
        for (let n = 0; n <= random() * 8; n++) {
          bytes[from + Math.floor(random() * (bytes.length - from))] = Math.floor(random() * 256);
        }
        const socket = await knock(`127.0.0.${2 + (i % 7)}`);
        socket.resume();
        socket.write(bytes.subarray(0, Math.ceil(random() * bytes.length)), () => socket.resetAndDestroy());
        await once(socket, 'close');
      }),
    );
    sockets.length = 0;
  }
});

test.each(['a stranger', 'a person', 'a worker'] as const)(
  'malformed packets of %s, once keys are exchanged, leave nothing behind',
  async (who) => {
    const random = seeded(SEED + who.length);
    let sent = 0;
    const pour = async (): Promise<void> => {
      while (sent < PACKETS) {
        const client = await until('it is let in', () => meet(who));
        sent += await pourMalformed(new RawSsh(client), 100, random);
        client.destroy();
      }
    };
    // A worker may have four connections, and the last ones may not be forgotten yet.
    await Promise.all([pour(), pour(), pour()]);
  },
);

/** A connection whose keys are exchanged, and its login is still to come or done; undefined when it is not let in. */
function meet(who: string): Promise<ssh2.Client | undefined> {
  const client = new ssh2.Client();
  const username = who === 'a worker' ? 'w' : 'admin';
  return new Promise((resolve) => {
    client.on('error', () => undefined);
    client.once('close', () => resolve(undefined));
    client.once('ready', () => resolve(client));
    client.connect({
      host: '127.0.0.1',
      port: farm.port,
      readyTimeout: 0,
      username,
      ...(who === 'a stranger' ? { authHandler: () => resolve(client) } : { privateKey: privateKeys[username] }),
    } as ConnectConfig);
  });
}

/** What an honest client says first: its identification, and the algorithms that it knows. */
async function recorded(): Promise<Buffer> {
  const server = createServer((socket) => socket.write('SSH-2.0-trunkline\r\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new ssh2.Client();
  client.on('error', () => undefined);
  const arrived = once(server, 'connection') as Promise<[Socket]>;
  client.connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, username: 'x', readyTimeout: 0 });
  const [socket] = await arrived;
  const said: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => said.push(bytes));
  // The last algorithm that it names.
  await until('it has said it', () => Buffer.concat(said).includes('hmac-sha1'));
  client.destroy();
  server.close();
  return Buffer.concat(said);
}

test('all of it took bounded memory, and no descriptor is left', async () => {
  const pid = master.process.pid!;
  const isLetGo = async (): Promise<boolean> =>
    (await figuresOf(pid)).descriptors <= before.descriptors + DESCRIPTORS_MORE;
  await until('its descriptors are let go of', isLetGo);
  process.stdout.write(`after all of it: ${watch.told()} MB\n`);
  expect(watch.growth()['master']).toBeLessThan(GROWTH_MOST);
});
