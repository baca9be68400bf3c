import { once } from 'node:events';
import type ssh2 from 'ssh2';
import { afterEach, describe, expect, it } from 'vitest';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import { run } from '../../support/run.ts';
import { sshStand, until } from '../../support/ssh-stand.ts';
import type { SshStand, SshStandOptions } from '../../support/ssh-stand.ts';

const CODE = 'join+0123456789abcdef0123456789abcdef';
let stand: SshStand;
afterEach(() => stand.close());

async function open(options: SshStandOptions = {}): Promise<void> {
  stand = await sshStand({
    admitInvited: (code) => (code === CODE ? { name: 'w9', codeHash: 'h' } : { refused: 'no such code' }),
    ...options,
  });
}

const invited = (): Promise<ssh2.Client> => stand.client({ username: CODE, authHandler: ['none'] });
const failure = (ask: (done: (error: Error | undefined) => void) => void): Promise<string | undefined> =>
  new Promise((resolve) => ask((error) => resolve(error?.message)));

describe('whoever comes with a code', () => {
  it('is let in without a key, says a few words, and is called by the name of the worker in the log', async () => {
    const said: string[] = [];
    await open({
      onInvited: (call) => {
        said.push(call.command);
        void call.write('the answer\n').then(() => call.exit(3));
      },
    });
    const words = ['-T', '-p', `${stand.server.port}`, '-F', 'none', '-o', 'BatchMode=yes'];
    const trust = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'];
    const ran = await run('ssh', [...words, ...trust, `${CODE}@127.0.0.1`, 'fetch', 'script']);
    expect([ran.status, ran.text, said]).toEqual([3, 'the answer\n', ['fetch script']]);
    expect(stand.logged.join('\n')).toContain('"name":"w9"');
    expect(stand.logged.join('\n')).not.toContain(CODE);
  });

  it('gets no shell, terminal, subsystem, forward or agent', async () => {
    await open();
    const client = await invited();
    expect(await failure((done) => client.shell(done))).toMatch(/./);
    expect(await failure((done) => client.subsys('trunkline-mux', done))).toMatch(/./);
    expect(await failure((done) => client.subsys('sftp', done))).toMatch(/./);
    expect(await failure((done) => client.exec('x', { pty: true }, done))).toMatch(/./);
    expect(await failure((done) => client.exec('x', { x11: true }, done))).toMatch(/./);
    expect(await failure((done) => client.forwardOut('127.0.0.1', 1, '127.0.0.1', 22, done))).toMatch(/./);
    expect(await failure((done) => client.forwardIn('127.0.0.1', 0, done))).toMatch(/./);
  });

  it('has few channels and connections, and may not send much', async () => {
    await open({
      limits: { channelsOfInvited: 1, connectionsOfInvited: 2, bytesOfInvited: 20_000 },
      onInvited: () => {},
    });
    const client = await invited();
    const channel = await new Promise<ssh2.ClientChannel>((resolve) =>
      client.exec('enrol', (_error, opened) => resolve(opened)),
    );
    expect(await failure((done) => client.exec('enrol', done))).toMatch(/./);
    await invited();
    const third = await invited();
    await once(third, 'close');
    const closed = once(client, 'close');
    channel.write(Buffer.alloc(30_000));
    await closed;
    await until('the log says why', () => stand.logged.join('\n').includes('sent too much'));
    expect(stand.logged.join('\n')).toContain('too many connections of one code');
  });

  it('may not stay for long', async () => {
    await open({ limits: { invitedMs: 50 } });
    await once(await invited(), 'close');
    expect(stand.logged.join('\n')).toContain('stayed for too long');
  });

  it('is refused with a code that is not open, which no log has', async () => {
    await open();
    const wrong = `${CODE}0`;
    const { privateKey } = makeKeyPair('anybody');
    for (const config of [{ authHandler: ['none'] }, { privateKey }, { privateKey, username: CODE }] as const) {
      const { authHandler, ...rest } = { authHandler: ['publickey'] as const, ...config };
      const tried = stand.client({ username: wrong, ...rest, authHandler: [...authHandler] });
      await expect(tried).rejects.toThrow(/authentication methods failed|closed/);
    }
    const log = stand.logged.join('\n');
    expect(log).toMatch(/login refused.*"name":"join\+…".*no such code/);
    expect(log).toMatch(/a code has no publickey/);
    expect(log).not.toContain('0123456789abcdef');
  });
});
