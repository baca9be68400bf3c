import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { decode, encode } from '../../../src/protocol/codec.ts';
import { FrameReader } from '../../../src/protocol/frame.ts';
import { LIMITS } from '../../../src/protocol/limits.ts';
import type { Carrier } from '../../../src/transport/carrier.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import { openMasterLink } from '../../../src/transport/master-link.ts';
import type { PersonCall } from '../../../src/transport/person-call.ts';
import { sshStand, until } from '../../support/ssh-stand.ts';
import type { SshStand } from '../../support/ssh-stand.ts';
import { HELLO } from '../../support/hello.ts';

interface Ran {
  readonly status: number | null;
  readonly out: Buffer;
  readonly errors: string;
}

/** The stock client of this machine. Nothing is asserted before it has ended by itself. */
describe('stock OpenSSH', () => {
  let dir: string;
  let stand: SshStand;
  let onWorker: (carrier: Carrier) => void;
  let onPerson: (call: PersonCall) => void;
  const running = new Set<ReturnType<typeof spawn>>();

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tl-'));
    stand = await sshStand({ onWorker: (carrier) => onWorker(carrier), onPerson: (call) => onPerson(call) });
    await writeFile(join(dir, 'w1'), stand.workerKey.privateKey, { mode: 0o600 });
    await writeFile(join(dir, 'ann'), stand.personKey.privateKey, { mode: 0o600 });
    await writeFile(join(dir, 'other'), makeKeyPair('x').privateKey, { mode: 0o600 });
    await writeFile(join(dir, 'known'), `[127.0.0.1]:${stand.server.port} ${stand.host.publicKeyLine}\n`);
  });
  afterEach(async () => {
    for (const child of running) child.kill('SIGKILL');
    await stand.close();
    await rm(dir, { recursive: true, force: true });
  });

  function start(key: string, user: string, before: readonly string[], after: readonly string[]) {
    const options = [
      'BatchMode=yes',
      'StrictHostKeyChecking=yes',
      'IdentitiesOnly=yes',
      `UserKnownHostsFile=${join(dir, 'known')}`,
      `IdentityFile=${join(dir, key)}`,
    ];
    const args = ['-F', 'none', ...options.flatMap((option) => ['-o', option]), '-p', `${stand.server.port}`];
    const child = spawn('ssh', [...args, ...before, `${user}@127.0.0.1`, ...after], { stdio: 'pipe' });
    running.add(child);
    const out: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => errors.push(bytes));
    child.stdin.on('error', () => {});
    const ended = new Promise<Ran>((resolve) => {
      child.on('close', (status) => {
        running.delete(child);
        resolve({ status, out: Buffer.concat(out), errors: Buffer.concat(errors).toString() });
      });
    });
    return { child, ended };
  }

  it('is a worker’s whole transport by `ssh -s … trunkline-mux`', async () => {
    const opened = new Promise<Awaited<ReturnType<typeof openMasterLink>>>((resolve, reject) => {
      onWorker = (carrier) => {
        openMasterLink(carrier, {
          logger: silentLogger,
          principalName: 'w1',
          admit: () => Promise.resolve({ epoch: 3, masterId: 'm' }),
        }).then(resolve, reject);
      };
    });
    const { child, ended } = start('w1', 'w1', ['-T', '-s'], ['trunkline-mux']);
    const reader = new FrameReader(LIMITS.controlFrameBytes);
    const types: string[] = [];
    child.stdout.on('data', (bytes: Buffer) => {
      for (const body of reader.feed(bytes)) {
        const message = decode(body, { from: 'master' });
        if ('unknown' in message) continue;
        types.push(message.type);
        if (message.type !== 'session.open') continue;
        child.stdin.write(encode('session.opened', message.session, { fence: 1 }));
      }
    });
    child.stdin.write(encode('hello', '', HELLO));
    const { link } = await opened;
    const got = new Promise<string>((resolve) => link.onMessage((message) => resolve(message.type)));
    link.bindSession('S');
    link.send('session.open', 'S', { fence: 1, project: 'p', builder: 'b', directory: 'd' });
    expect(await got).toBe('session.opened');
    link.close({ code: 'stopping', message: 'bye' });
    await ended;
    expect(types.slice(0, 2)).toEqual(['welcome', 'credit']);
    expect(types.at(-1)).toBe('goodbye');
  });

  it('is a clean pipe of 8 bits both ways', async () => {
    onWorker = (carrier) =>
      carrier.onChannel((channel) => channel.onData((bytes) => channel.write(Uint8Array.from(bytes))));
    const body = randomBytes(5 * 1024 * 1024);
    const { child, ended } = start('w1', 'w1', ['-T', '-s'], ['trunkline-mux']);
    let bytes = 0;
    const sum = createHash('sha256');
    const all = new Promise<void>((resolve) => {
      child.stdout.on('data', (piece: Buffer) => {
        sum.update(piece);
        bytes += piece.length;
        if (bytes >= body.length) resolve();
      });
    });
    child.stdin.write(body);
    await all;
    child.stdin.end();
    await ended;
    expect(sum.digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
  });

  it('carries many sessions over one connection by ControlMaster', async () => {
    let connections = 0;
    const subsystems: string[] = [];
    onWorker = (carrier) => {
      connections++;
      carrier.onChannel((channel) => {
        subsystems.push(channel.subsystem);
        channel.onData((bytes) => channel.write(Uint8Array.from(bytes)));
      });
    };
    const socket = join(dir, 'c');
    const first = start('w1', 'w1', ['-T', '-M', '-S', socket, '-s'], ['trunkline-control']);
    first.child.stdin.write('first');
    await until('the connection stands', () => subsystems.length === 1);
    const sessions = Array.from({ length: 12 }, (_, index) => {
      const one = start('w1', 'w1', ['-T', '-S', socket, '-s'], ['trunkline-session']);
      const echoed = new Promise<void>((resolve) => one.child.stdout.once('data', () => resolve()));
      one.child.stdin.write(`session ${index}`);
      return { ...one, echoed };
    });
    await Promise.all(sessions.map(({ echoed }) => echoed));
    for (const { child } of sessions) child.stdin.end();
    const ran = await Promise.all(sessions.map(({ ended }) => ended));
    expect(ran.map(({ out }) => out.toString())).toEqual(sessions.map((_, index) => `session ${index}`));
    expect(connections).toBe(1);
    first.child.stdin.end();
    await first.ended;
    expect(subsystems.filter((name) => name === 'trunkline-session')).toHaveLength(12);
  });

  it('runs a verb: input, both outputs, exit status', async () => {
    onPerson = (call) => {
      void (async () => {
        let text = '';
        for await (const bytes of call.stdin) text += Buffer.from(bytes).toString();
        await call.write(`${call.command}: ${text}`);
        await call.writeError('careful\n');
        call.exit(call.isTerminal ? 1 : 12);
      })();
    };
    const { child, ended } = start('ann', 'ann', [], ['force', 'a/b', '--wait']);
    child.stdin.end('the input');
    expect(await ended).toMatchObject({ status: 12, errors: 'careful\n' });
    expect((await ended).out.toString()).toBe('force a/b --wait: the input');
  });

  it('knows a terminal, and Control-C on it', async () => {
    const calls: PersonCall[] = [];
    onPerson = (call) => {
      calls.push(call);
      void call.write('one\ntwo\n');
    };
    const { child, ended } = start('ann', 'ann', ['-tt'], ['log', '-f']);
    const seen = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
    await seen;
    expect(calls[0]?.isTerminal).toBe(true);
    child.stdin.write('\x03');
    expect((await ended).status).toBe(130);
    expect((await ended).out.toString()).toBe('one\r\ntwo\r\n');
    expect(calls[0]?.signal.aborted).toBe(true);
  });

  it('that goes away aborts the call, whether or not anybody reads or writes', async () => {
    const calls: PersonCall[] = [];
    onPerson = (call) => calls.push(call);
    const { child, ended } = start('ann', 'ann', [], ['log', '-f']);
    await until('the call came', () => calls.length === 1);
    child.kill('SIGKILL');
    await ended;
    await until('the call was aborted', () => calls[0]!.signal.aborted);
    await calls[0]!.write('x'.repeat(10_000_000));
    calls[0]!.exit(0);
  });

  it('gets a line that helps instead of a shell', async () => {
    const { child, ended } = start('ann', 'ann', ['-T'], []);
    child.stdin.end();
    expect(await ended).toMatchObject({ status: 64 });
    expect((await ended).errors).toContain('help');
  });

  it.each([
    ['a verb with a worker’s key', 'w1', [], ['status']],
    ['a shell with a worker’s key', 'w1', ['-T'], []],
    ['a terminal with a worker’s key', 'w1', ['-tt', '-s'], ['trunkline-control']],
    ['a forward with a worker’s key', 'w1', ['-W', '127.0.0.1:22'], []],
    ['a subsystem of workers with a person’s key', 'ann', ['-s'], ['trunkline-mux']],
    ['sftp', 'ann', ['-s'], ['sftp']],
    ['a forward to a port that is not the web page’s', 'ann', ['-W', '127.0.0.1:22'], []],
    ['a port of the master', 'ann', ['-o', 'ExitOnForwardFailure=yes', '-R', '0:127.0.0.1:22', '-N'], []],
    [
      'a socket on the master',
      'ann',
      ['-o', 'ExitOnForwardFailure=yes', '-R', '/tmp/tl-x.sock:127.0.0.1:22', '-N'],
      [],
    ],
    ['a tunnel device', 'ann', ['-o', 'ExitOnForwardFailure=yes', '-o', 'Tunnel=ethernet', '-w', 'any', '-N'], []],
  ] as const)('asks in vain for %s', async (_what, user, before, after) => {
    let calls = 0;
    onPerson = (call) => {
      calls++;
      call.exit(0);
    };
    onWorker = () => undefined;
    const { child, ended } = start(user, user, before, after);
    child.stdin.end();
    // Some of them stay, with nothing: what they are told is what counts.
    const told = new Promise<void>((resolve) => child.stderr.once('data', () => resolve()));
    await Promise.race([ended, told]);
    child.kill('SIGTERM');
    const { status, out } = await ended;
    expect([status === 0, out.length, calls]).toEqual([false, 0, 0]);
  });

  it('with an unknown key or name is refused with a line on both sides', async () => {
    for (const [key, user] of [
      ['other', 'ann'],
      ['ann', 'nobody'],
      ['ann', 'w1'],
    ] as const) {
      const { ended } = start(key, user, [], ['status']);
      const { status, errors } = await ended;
      expect(status).toBe(255);
      expect(errors).toMatch(/not admitted here; an operator can admit the key/);
      expect(stand.logged.join('\n')).toContain(`no such key for ${user}`);
    }
  });

  it('loses its connection as soon as its key is withdrawn', async () => {
    const calls: PersonCall[] = [];
    onPerson = (call) => calls.push(call);
    const { ended } = start('ann', 'ann', [], ['log', '-f']);
    await until('the call came', () => calls.length === 1);
    expect(stand.server.closeConnectionsOf('ann', 'the key was withdrawn')).toBe(1);
    expect((await ended).status).toBe(255);
    expect(calls[0]!.signal.aborted).toBe(true);
  });
});
