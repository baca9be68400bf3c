import { once } from 'node:events';
import type { Socket } from 'node:net';
import ssh2 from 'ssh2';
import { afterEach, describe, expect, it } from 'vitest';
import { KiB, MiB } from '../../../src/protocol/limits.ts';
import type { PersonCall } from '../../../src/transport/person-call.ts';
import type { SshServerLimits } from '../../../src/transport/ssh-server.ts';
import { sshStand, until } from '../../support/ssh-stand.ts';
import type { SshStand } from '../../support/ssh-stand.ts';

/** What ssh2's client does not offer, since no honest one needs it. */
interface Inner {
  readonly _sock: Socket;
  /** Asked for each confirmation and each close that comes. */
  readonly _chanMgr: { get: (id: number) => unknown };
  readonly _protocol: {
    ping(): void;
    session(id: number, window: number, packetSize: number): void;
    channelData(id: number, bytes: Buffer): void;
    channelClose(id: number): void;
    rekey(): void;
    authNone(name: string): void;
  };
}
const inner = (client: ssh2.Client): Inner => client as unknown as Inner;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the server breaks off with a client that', () => {
  const stands: SshStand[] = [];
  afterEach(async () => {
    for (const one of stands.splice(0)) await one.close();
  });

  async function person(limits: Partial<SshServerLimits> = {}, calls: PersonCall[] = []) {
    const stand = await sshStand({ limits, onPerson: (call) => calls.push(call) });
    stands.push(stand);
    const client = await stand.client({ username: 'ann', privateKey: stand.personKey.privateKey });
    return { stand, client };
  }

  /** Until the server has had enough; what it takes at most is far more than it may. */
  async function pour(stand: SshStand, most: number, step: () => void): Promise<void> {
    for (let i = 0; i < most && stand.server.stats().connections > 0; i++) {
      step();
      if (i % 64 === 0) await turn();
    }
    await until('the connection is gone', () => stand.server.stats().connections === 0);
  }

  it('sends into a call more than the window, while the verb does not read', async () => {
    const calls: PersonCall[] = [];
    const { stand, client } = await person({}, calls);
    const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) =>
      client.exec('status', (error, opened) => (error ? reject(error) : resolve(opened))),
    );
    const { id } = (channel as unknown as { readonly outgoing: { readonly id: number } }).outgoing;
    await pour(stand, (64 * MiB) / (32 * KiB), () => inner(client)._protocol.channelData(id, Buffer.alloc(32_000)));
    expect(stand.logged.join('\n')).toContain('more than its window');
    expect(calls[0]?.signal.aborted).toBe(true);
  });

  it('fills the windows of many calls, which do not read', async () => {
    const calls: PersonCall[] = [];
    const { stand, client } = await person({}, calls);
    const ids: number[] = [];
    for (let i = 0; i < 16; i++) {
      const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) =>
        client.exec('status', (error, opened) => (error ? reject(error) : resolve(opened))),
      );
      ids.push((channel as unknown as { readonly outgoing: { readonly id: number } }).outgoing.id);
    }
    // Less than the window of each.
    const mostOfAll = 16 * 1.5 * MiB;
    let at = 0;
    await pour(stand, mostOfAll / (32 * KiB), () => {
      inner(client)._protocol.channelData(ids[at++ % ids.length] ?? 0, Buffer.alloc(32_000));
    });
    expect(stand.logged.join('\n')).toContain('calls that do not read');
    expect(calls).toHaveLength(16);
  });

  it('asks without end and reads no answer', async () => {
    const { stand, client } = await person({ unsentBytes: 64 * KiB });
    inner(client)._sock.pause();
    await pour(stand, 1_000_000, () => inner(client)._protocol.ping());
    expect(stand.logged.join('\n')).toContain('does not read');
  });

  it.each<readonly [string, (protocol: Inner['_protocol']) => void, string]>([
    ['asks for the methods of login again and again', (protocol) => protocol.authNone('ann'), 'login refused'],
    ['exchanges keys again before the login', (protocol) => protocol.rekey(), 'exchanged anew'],
  ])('%s', async (_what, again, said) => {
    const stand = await sshStand({ limits: { loginGraceMs: 3_600_000 } });
    stands.push(stand);
    const client = new ssh2.Client();
    client.on('error', () => {});
    const closed = once(client, 'close');
    const authHandler = (_left: unknown, _partial: unknown, next: (method: 'none') => void): void => {
      again(inner(client)._protocol);
      next('none');
    };
    client.connect({ host: '127.0.0.1', port: stand.server.port, username: 'ann', readyTimeout: 0, authHandler });
    await closed;
    expect(stand.logged.join('\n')).toContain(said);
    expect(stand.logged.join('\n')).not.toContain('logged in');
  });
});

it('the server keeps nothing of sessions that are closed before anything was started in them', async () => {
  const stand = await sshStand();
  const client = await stand.client({ username: 'ann', privateKey: stand.personKey.privateKey });
  const { _protocol: protocol } = inner(client);
  const answered: unknown[] = [];
  inner(client)._chanMgr.get = (id) => void answered.push(id);
  for (let id = 0; id < 100; id++) {
    protocol.session(id, 2 * MiB, 32 * KiB);
    // The server counts its own ids up, too.
    protocol.channelClose(id);
  }
  // Each is confirmed and its end is answered.
  await until('all were answered', () => answered.length === 200);
  await stand.close();
});
