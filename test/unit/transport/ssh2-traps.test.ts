import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import ssh2 from 'ssh2';
import type { ClientChannel } from 'ssh2';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import type { Carrier, Channel } from '../../../src/transport/carrier.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import { connectSsh } from '../../../src/transport/ssh-client.ts';
import { faultStream } from '../../support/fault-stream.ts';
import type { FaultStream } from '../../support/fault-stream.ts';
import { sshStand, until } from '../../support/ssh-stand.ts';
import type { SshStand, SshStandOptions } from '../../support/ssh-stand.ts';

const MiB = 1024 * 1024;

/** One test for each row of the table of traps that our two files fence in; what a row says is in its name. */
describe('ssh2, fenced in', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing.close();
  });

  async function stand(options: SshStandOptions = {}): Promise<SshStand> {
    const made = await sshStand(options);
    open.push(made);
    return made;
  }

  async function relay(port: number): Promise<FaultStream> {
    const made = await faultStream(port);
    open.push(made);
    return made;
  }

  function worker(stand: SshStand, port = stand.server.port): Promise<Carrier> {
    return connectSsh({
      host: '127.0.0.1',
      port,
      user: 'w1',
      privateKey: stand.workerKey.privateKey,
      hostKeys: [stand.host.fingerprint],
    });
  }

  async function channels(options: SshStandOptions = {}): Promise<readonly [Channel, Channel, Carrier, Carrier]> {
    const carriers: Carrier[] = [];
    const made = await stand({ ...options, onWorker: (carrier) => carriers.push(carrier) });
    const near = await worker(made);
    const far = carriers[0]!;
    const opened = new Promise<Channel>((resolve) => far.onChannel(resolve));
    const channel = await near.openChannel('trunkline-session');
    return [channel, await opened, near, far];
  }

  it('a paused channel keeps no more than its window and does not stall its neighbours', async () => {
    const [channel, far, near, carrier] = await channels();
    far.pause();
    let received = 0;
    far.onData((bytes) => (received += bytes.length));
    for (let i = 0; i < 10; i++) channel.write(Buffer.alloc(MiB, i));
    await until('the window is used up', () => channel.queuedBytes() > 0 && near.queuedBytes() === 0);
    const other = new Promise<Channel>((resolve) => carrier.onChannel(resolve));
    const second = await near.openChannel('trunkline-session');
    const echo = new Promise<string>((resolve) => second.onData((bytes) => resolve(Buffer.from(bytes).toString())));
    const third = await other;
    third.onData((bytes) => third.write(Uint8Array.from(bytes)));
    second.write(Buffer.from('still here'));
    expect(await echo).toBe('still here');
    expect(received).toBe(0);
    expect(channel.queuedBytes()).toBeGreaterThan(5 * MiB);
    far.resume();
    await until('all of it came', () => received === 10 * MiB);
  });

  it('a paused channel that is closed tells so', async () => {
    const [channel, far] = await channels();
    far.onData(() => {});
    far.pause();
    channel.write(Buffer.from('unread'));
    far.close();
    await far.closed;
    await channel.closed;
  });

  it('the end of the connection ends paused channels too, and a late write says nothing', async () => {
    const [channel, far, near, carrier] = await channels();
    far.onData(() => {});
    far.pause();
    channel.write(Buffer.alloc(MiB));
    near.destroy('over');
    await Promise.all([channel.closed, far.closed]);
    expect(await near.closed).toBe('over');
    await carrier.closed;
    channel.write(Buffer.from('late'));
    far.write(Buffer.from('late'));
    far.close();
    await expect(near.openChannel('trunkline-session')).rejects.toThrow('over');
  });

  it('says how much the socket has not taken', async () => {
    const carriers: Carrier[] = [];
    const made = await stand({ onWorker: (carrier) => carriers.push(carrier) });
    const line = await relay(made.server.port);
    const near = await worker(made, line.port);
    carriers[0]!.onChannel((channel) => channel.onData(() => {}));
    const all = await Promise.all(Array.from({ length: 20 }, () => near.openChannel('trunkline-session')));
    line.stall();
    // More than what two kernels' buffers hold.
    for (const channel of all) channel.write(Buffer.alloc(2 * MiB));
    expect(near.queuedBytes()).toBeGreaterThan(10 * MiB);
    const drained = new Promise<void>((resolve) => near.onDrain(resolve));
    line.flow();
    await drained;
    await until('nothing is queued', () => near.queuedBytes() === 0);
  });

  it('stderr after a stalled window repeats nothing and does not hang', async () => {
    const body = randomBytes(5 * MiB);
    const made = await stand({
      onPerson: (call) => {
        void (async () => {
          await call.write(body);
          for (let i = 0; i < 600; i++) await call.writeError(`${i}`.padStart(8_000, '.'));
          await call.write('the end');
          call.exit(3);
        })();
      },
    });
    const client = await made.client({ username: 'ann', privateKey: made.personKey.privateKey });
    const { channel, out, errors, status, closed } = await exec(client, 'x');
    // Stand still until the window is used up.
    channel.pause();
    await until('the window is used up', () => channel.readableLength >= MiB);
    channel.resume();
    expect(await status).toBe(3);
    await closed;
    const got = Buffer.concat(out);
    expect(got.length).toBe(body.length + 7);
    expect(got.subarray(0, body.length).equals(body)).toBe(true);
    expect(Buffer.concat(errors).length).toBe(600 * 8_000);
  });

  it.each([0, 100])('a peer that takes packets of %i bytes is thrown out', async (packetBytes) => {
    const seen: string[] = [];
    const made = await stand({
      onWorker: (carrier) => carrier.onChannel((channel) => seen.push(channel.subsystem)),
      onPerson: (call) => void call.write('x'.repeat(1_000)).then(() => call.exit(0)),
    });
    for (const [username, key] of [
      ['w1', made.workerKey],
      ['ann', made.personKey],
    ] as const) {
      const client = await made.client({ username, privateKey: key.privateKey });
      client.on('error', () => {});
      const inner = client as unknown as { _protocol: { session(a: number, b: number, c: number): void } };
      const session = inner._protocol.session.bind(inner._protocol);
      inner._protocol.session = (channel, windowBytes) => session(channel, windowBytes, packetBytes);
      const closed = new Promise<void>((resolve) => client.on('close', () => resolve()));
      if (username === 'w1') client.subsys('trunkline-control', () => {});
      else client.exec('status', () => {});
      await closed;
    }
    expect(seen).toEqual([]);
    // The master is alive.
    (await worker(made)).destroy('done');
  });

  it('bytes that come right behind the request for a channel are not lost', async () => {
    const made = await stand({
      onWorker: (carrier) =>
        carrier.onChannel((channel) => channel.onData((bytes) => channel.write(Uint8Array.from(bytes)))),
    });
    const client = await made.client({ username: 'w1', privateKey: made.workerKey.privateKey });
    const inner = client as unknown as {
      _protocol: {
        subsystem(id: number, name: string, reply: boolean): void;
        channelData(id: number, b: Buffer): void;
      };
    };
    const subsystem = inner._protocol.subsystem.bind(inner._protocol);
    inner._protocol.subsystem = (id, name, reply) => {
      subsystem(id, name, reply);
      inner._protocol.channelData(id, Buffer.from('early'));
    };
    const channel = await new Promise<ClientChannel>((resolve, reject) => {
      client.subsys('trunkline-mux', (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    const [bytes] = (await once(channel, 'data')) as [Buffer];
    expect(bytes.toString()).toBe('early');
  });

  it('a peer that answers no keepalive loses its socket', async () => {
    const carriers: Carrier[] = [];
    const made = await stand({ limits: { keepaliveMs: 300 }, onWorker: (carrier) => carriers.push(carrier) });
    const line = await relay(made.server.port);
    await worker(made, line.port);
    line.stall();
    expect(await carriers[0]!.closed).toMatch(/[Kk]eepalive/);
    await until('the socket is gone', () => made.server.stats().connections === 0);
  });

  it('who does not log in within the grace is cut off', async () => {
    const clock = new FakeClock();
    const made = await stand({ clock });
    const socket = connect({ host: '127.0.0.1', port: made.server.port });
    socket.on('error', () => {});
    await once(socket, 'data');
    expect(made.server.stats().loggingIn).toBe(1);
    const closed = once(socket, 'close');
    clock.advance(20_000);
    await closed;
    await until('its place is free', () => made.server.stats().loggingIn === 0);
  });

  it('three failed tries end the connection, and the master says why', async () => {
    const made = await stand();
    const keys = Array.from({ length: 5 }, () => makeKeyPair('wrong').privateKey);
    const banners: string[] = [];
    const client = new ssh2.Client();
    client.on('banner', (text) => banners.push(text));
    client.on('error', () => {});
    client.connect({
      host: '127.0.0.1',
      port: made.server.port,
      username: 'ann',
      authHandler: keys.map((key) => ({ type: 'publickey', username: 'ann', key })) as never,
    });
    await once(client, 'close');
    expect(made.logged.filter((line) => line.startsWith('login refused'))).toHaveLength(3);
    expect(made.logged.join()).toContain('no such key for ann');
    expect(banners).toHaveLength(1);
    expect(banners[0]).toContain('SHA256:');
    expect(banners[0]).not.toContain('no such key');
  });

  it('keys are exchanged anew under load, and nothing is lost', async () => {
    const received = createHash('sha256');
    const made = await stand({
      limits: { rekeyBytes: MiB },
      onWorker: (carrier) =>
        carrier.onChannel((channel) =>
          channel.onData((bytes) => {
            received.update(bytes);
            channel.write(Uint8Array.from(bytes));
          }),
        ),
    });
    const client = await made.client({ username: 'w1', privateKey: made.workerKey.privateKey });
    let exchanges = 0;
    client.on('handshake', () => exchanges++);
    const channel = await subsys(client, 'trunkline-mux');
    const body = randomBytes(16 * MiB);
    const echoed = createHash('sha256');
    let bytes = 0;
    channel.on('data', (piece: Buffer) => {
      bytes += piece.length;
      echoed.update(piece);
    });
    channel.write(body);
    await until('all came back', () => bytes === body.length);
    const digest = createHash('sha256').update(body).digest('hex');
    expect([received.digest('hex'), echoed.digest('hex')]).toEqual([digest, digest]);
    expect(exchanges).toBeGreaterThan(1);
  });

  it('a signature that cannot even be checked is no signature', async () => {
    const made = await stand();
    const parsed = ssh2.utils.parseKey(made.personKey.publicKeyLine);
    if (parsed instanceof Error) throw parsed;
    for (const signature of [Buffer.alloc(64, 7), Buffer.alloc(3), Buffer.alloc(0)]) {
      class Forger extends ssh2.BaseAgent {
        override getIdentities(done: (error: undefined, keys: never[]) => void): void {
          done(undefined, [parsed] as never[]);
        }
        override sign(_key: never, _data: Buffer, options: unknown, done?: unknown): void {
          const answer = (typeof options === 'function' ? options : done) as (e: undefined, s: Buffer) => void;
          answer(undefined, signature);
        }
      }
      await expect(made.client({ username: 'ann', agent: new Forger() })).rejects.toThrow();
    }
    expect(made.logged.join()).toContain('the signature is wrong');
    expect(made.logged.join()).not.toContain('logged in');
  });

  it('no host is trusted that is not pinned; the next key may be pinned beside', async () => {
    const made = await stand();
    const at = { host: '127.0.0.1', port: made.server.port, user: 'w1', privateKey: made.workerKey.privateKey };
    const other = makeKeyPair('other');
    await expect(connectSsh({ ...at, hostKeys: [] })).rejects.toThrow('host key');
    const refused = connectSsh({ ...at, hostKeys: [other.fingerprint] });
    await expect(refused).rejects.toMatchObject({ code: 'host-key-mismatch' });
    await expect(refused).rejects.toThrow(made.host.fingerprint);
    await expect(refused).rejects.toThrow(other.fingerprint);
    const both = await connectSsh({ ...at, hostKeys: [other.fingerprint, made.host.publicKeyLine] });
    both.destroy('done');
  });

  it('strangers get elliptic curves and AES-GCM or nothing', async () => {
    const made = await stand();
    const as = { username: 'ann', privateKey: made.personKey.privateKey };
    for (const algorithms of [
      { kex: ['diffie-hellman-group14-sha256' as const] },
      { cipher: ['chacha20-poly1305@openssh.com' as const] },
      { cipher: ['aes128-ctr' as const] },
    ]) {
      await expect(made.client({ ...as, algorithms })).rejects.toThrow(/no matching/i);
    }
    const client = await made.client({ ...as, algorithms: { compress: ['zlib', 'none'] } });
    client.end();
  });

  it('garbage, half a greeting and a reset do the server no harm', async () => {
    const made = await stand();
    for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.from('SSH-2.0-'), randomBytes(4_096)]) {
      const socket = connect({ host: '127.0.0.1', port: made.server.port });
      socket.on('error', () => {});
      await once(socket, 'data');
      socket.write(bytes, () => socket.resetAndDestroy());
      await once(socket, 'close');
    }
    const socket = connect({ host: '127.0.0.1', port: made.server.port });
    socket.on('error', () => {});
    socket.resume();
    socket.write(Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(200_000, 0xff)]));
    await once(socket, 'close');
    await until('all are gone', () => made.server.stats().connections + made.server.stats().loggingIn === 0);
    (await worker(made)).destroy('done');
  });

  it('a person gets all output before the exit status, and the status before the end', async () => {
    const body = randomBytes(3 * MiB);
    const made = await stand({
      onPerson: (call) => {
        void call.write(body);
        call.exit(11);
      },
    });
    const client = await made.client({ username: 'ann', privateKey: made.personKey.privateKey });
    const { out, status, closed } = await exec(client, 'log');
    expect(await status).toBe(11);
    await closed;
    expect(Buffer.concat(out).equals(body)).toBe(true);
  });
});

interface Ran {
  readonly channel: ClientChannel;
  readonly out: Buffer[];
  readonly errors: Buffer[];
  readonly status: Promise<number>;
  readonly closed: Promise<void>;
}

/** Listens before anything can come. */
function exec(client: ssh2.Client, command: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      const status = new Promise<number>((done) => channel.on('exit', (code: number) => done(code)));
      const closed = new Promise<void>((done) => channel.on('close', () => done()));
      resolve({ channel, out: collect(channel), errors: collect(channel.stderr), status, closed });
    });
  });
}

function subsys(client: ssh2.Client, name: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.subsys(name, (error, channel) => (error ? reject(error) : resolve(channel)));
  });
}

function collect(stream: NodeJS.ReadableStream): Buffer[] {
  const pieces: Buffer[] = [];
  stream.on('data', (bytes: Buffer) => pieces.push(Buffer.from(bytes)));
  return pieces;
}
