import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { runOk } from './run.ts';
import { until } from './until.ts';

/** A stock OpenSSH server on loopback, for this user alone. */
export interface StockSshd {
  /** The arguments of stock ssh up to the host. */
  readonly sshArgs: readonly string[];
  close(): Promise<void>;
}

export async function startStockSshd(): Promise<StockSshd> {
  const dir = await mkdtemp(join(tmpdir(), 'tl-sshd-'));
  for (const name of ['host', 'user'])
    await runOk('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)]);
  // Debian's sshd wants this folder, which its service makes.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  const port = await freePort();
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${dir}/host`,
    `AuthorizedKeysFile ${dir}/user.pub`,
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin yes',
    `PidFile none`,
  ];
  await writeFile(join(dir, 'config'), `${config.join('\n')}\n`);
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(dir, 'config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  await until('sshd listens', () => {
    if (child.exitCode !== null) throw new Error(`sshd ended: ${said}`);
    return isOpen(port);
  });
  return {
    sshArgs: [
      '-p',
      String(port),
      '-i',
      join(dir, 'user'),
      '-F',
      'none',
      '-o',
      'BatchMode=yes',
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      `UserKnownHostsFile=${dir}/known`,
      '-o',
      'LogLevel=ERROR',
      `${userInfo().username}@127.0.0.1`,
    ],
    async close() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** sshd cannot be asked to choose a port and tell it, so one that was free a moment ago has to do. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
