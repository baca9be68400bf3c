import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeAll, afterAll, describe, expect, it } from 'vitest';
import type { Carrier, Channel } from '../../../src/transport/carrier.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import { connectSsh, readHostKey } from '../../../src/transport/ssh-client.ts';
import type { JumpHost } from '../../../src/transport/way.ts';
import { faultStream } from '../../support/fault-stream.ts';
import type { FaultStream } from '../../support/fault-stream.ts';
import { freePort } from '../../support/ports.ts';
import { sshStand } from '../../support/ssh-stand.ts';
import type { SshStand, SshStandOptions } from '../../support/ssh-stand.ts';
import { startStockSshd } from '../../support/stock-sshd.ts';
import type { StockSshd } from '../../support/stock-sshd.ts';
import { until } from '../../support/until.ts';

const MiB = 1024 * 1024;
const PIECE_BYTES = 128 * 1024;

/** Through stock sshd; what ssh2's channels do badly as sockets is in the names. */
describe('a way through jump hosts', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing.close();
  });
  let gate: StockSshd;
  let inner: StockSshd;
  beforeAll(async () => {
    // It exchanges keys anew after every MiB: what is held back meanwhile is counted, too.
    gate = await startStockSshd(['RekeyLimit 1M']);
    inner = await startStockSshd();
  });
  afterAll(async () => {
    await gate.close();
    await inner.close();
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

  async function jump(sshd: StockSshd, more: Partial<JumpHost> = {}): Promise<JumpHost> {
    return { ...(await sshd.jumpHost()), ...more };
  }

  async function worker(made: SshStand, jumpHosts: readonly JumpHost[], port = made.server.port): Promise<Carrier> {
    const carrier = await connectSsh({
      host: '127.0.0.1',
      port,
      user: 'w1',
      privateKey: made.workerKey.privateKey,
      hostKeys: [made.host.fingerprint],
      way: { jumpHosts },
    });
    open.push({
      close: async () => {
        carrier.destroy('the test is over');
        await carrier.closed;
      },
    });
    return carrier;
  }

  /** A channel, at the master and at the worker, through both jump hosts. */
  async function channels(port?: number): Promise<{ near: Carrier; far: Carrier; channel: Channel; other: Channel }> {
    const carriers: Carrier[] = [];
    const made = await stand({ onWorker: (carrier) => carriers.push(carrier) });
    const first = await jump(gate, port === undefined ? {} : { port });
    const near = await worker(made, [first, await jump(inner)]);
    const far = carriers[0]!;
    const opened = new Promise<Channel>((resolve) => far.onChannel(resolve));
    return { near, far, channel: await near.openChannel('trunkline-session'), other: await opened };
  }

  it('carries all bytes both ways, while keys are exchanged anew on the way', async () => {
    const { near, channel, other } = await channels();
    const body = randomBytes(8 * MiB);
    const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    const there: Buffer[] = [];
    const back: Buffer[] = [];
    other.onData((bytes) => {
      there.push(Buffer.from(bytes));
      other.write(Uint8Array.from(bytes));
    });
    channel.onData((bytes) => back.push(Buffer.from(bytes)));
    channel.write(body);
    await until('all of it came back', () => back.reduce((sum, { length }) => sum + length, 0) >= body.length);
    expect(sha256(Buffer.concat(there))).toBe(sha256(body));
    expect(sha256(Buffer.concat(back))).toBe(sha256(body));
    await until('nothing is queued', () => near.queuedBytes() === 0);
  });

  it('counts what waits in the whole path, and tells when it is free again though less waits than a window', async () => {
    const line = await relay(gate.port);
    const { near, far } = await channels(line.port);
    let received = 0;
    far.onChannel((channel) => channel.onData((bytes) => (received += bytes.length)));
    // A channel gives out no more than its window of 2 MiB.
    const all = await Promise.all(Array.from({ length: 12 }, () => near.openChannel('trunkline-session')));
    line.stall();
    let pieces = 0;
    // Until the kernels and the windows below take no more, then some: far less than what ssh2's channel speaks of a drain at.
    await until('bytes wait', () => {
      for (const channel of all) {
        if (near.queuedBytes() >= 512 * 1024) return true;
        channel.write(Buffer.alloc(PIECE_BYTES));
        pieces += 1;
      }
      return false;
    });
    expect(near.queuedBytes()).toBeLessThan(MiB);
    let isFreeAgain = false;
    near.onDrain(() => (isFreeAgain ||= near.queuedBytes() < 256 * 1024));
    line.flow();
    await until('it is told that there is room', () => isFreeAgain);
    await until('all came', () => received === pieces * PIECE_BYTES);
    await until('nothing is queued', () => near.queuedBytes() === 0);
  });

  it.each(['first', 'last'] as const)('ends whole when its %s hop dies, with all that carried it', async (which) => {
    const made = await stand();
    const before = await relay(gate.port);
    const behind = await relay(made.server.port);
    const way = [await jump(gate, { port: before.port }), await jump(inner)];
    const near = await worker(made, way, behind.port);
    const channel = await near.openChannel('trunkline-session');
    (which === 'first' ? before : behind).cut();
    expect(await near.closed).toMatch(which === 'first' ? /the jump host 127.0.0.1/ : /closed|lost/);
    await channel.closed;
    await until('the master has none', () => made.server.stats().connections === 0);
    channel.write(Buffer.from('late'));
    await expect(near.openChannel('trunkline-session')).rejects.toThrow();
  });

  it('is ended from here with all its hops', async () => {
    const made = await stand();
    const before = await relay(gate.port);
    const near = await worker(made, [await jump(gate, { port: before.port }), await jump(inner)]);
    expect(before.openConnections()).toBe(1);
    near.end('done', 5_000);
    await near.closed;
    await until('no hop is left', () => before.openConnections() === 0 && made.server.stats().connections === 0);
  });

  it('shows the host key behind it, and tells which hop refused, and why', async () => {
    const made = await stand();
    const { port } = made.server;
    const at = { host: '127.0.0.1', port };
    expect((await readHostKey({ ...at, way: { jumpHosts: [await jump(gate)] } })).fingerprint).toBe(
      made.host.fingerprint,
    );
    const other = makeKeyPair('other');
    const good = await jump(gate);
    const second = await jump(inner);
    const name = (hop: JumpHost): string => `the jump host 127.0.0.1:${hop.port}`;

    const mismatch = worker(made, [good, { ...second, hostKeys: [other.fingerprint] }]);
    await expect(mismatch).rejects.toMatchObject({ code: 'host-key-mismatch', isAtJumpHost: true });
    await expect(mismatch).rejects.toThrow(`the host key of ${name(second)} is ${inner.hostKey}`);
    const refused = worker(made, [good, { ...second, privateKey: other.privateKey }]);
    await expect(refused).rejects.toMatchObject({ code: 'refused-login', isAtJumpHost: true });
    await expect(refused).rejects.toThrow(`${name(second)} refused the login of ${second.user}`);
    const gone = await freePort();
    await expect(worker(made, [{ ...good, port: gone }, second])).rejects.toMatchObject({
      code: 'unreachable',
      isAtJumpHost: true,
      message: expect.stringContaining(`${name({ ...good, port: gone })} cannot be reached`) as string,
    });
    await expect(worker(made, [good], gone)).rejects.toMatchObject({
      code: 'forward-failed',
      message: expect.stringContaining(`${name(good)} cannot reach 127.0.0.1:${gone}: Connection refused`) as string,
    });
    await expect(worker(made, [{ ...good, hostKeys: [] }])).rejects.toThrow(TypeError);
  });

  it('tells that a jump host forwards nothing, or not there', async () => {
    const made = await stand();
    const narrow = await startStockSshd(['PermitOpen 127.0.0.1:1']);
    open.push(narrow);
    const refused = worker(made, [await jump(narrow)]);
    await expect(refused).rejects.toMatchObject({ code: 'forward-refused', isAtJumpHost: true });
    await expect(refused).rejects.toThrow(`does not forward to 127.0.0.1:${made.server.port}`);
  });
});
