import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { JumpHost } from '../../src/transport/way.ts';
import { freePort, isOpen } from './ports.ts';
import { runOk } from './run.ts';
import { until } from './until.ts';

/** A stock OpenSSH server on loopback, for this user alone. */
export interface StockSshd {
  /** The arguments of stock ssh up to the host. */
  readonly sshArgs: readonly string[];
  readonly port: number;
  readonly user: string;
  /** The file of the private key that it lets in. */
  readonly keyFile: string;
  /** The fingerprint of its host key. */
  readonly hostKey: string;
  /** It, to go through. */
  jumpHost(): Promise<JumpHost>;
  close(): Promise<void>;
}

/** Where it listens instead of loopback: words before its command lead into that network. */
export interface SshdPlace {
  readonly within: readonly string[];
  readonly host: string;
  readonly port: number;
}

/** `more` are lines of its configuration. */
export async function startStockSshd(more: readonly string[] = [], place?: SshdPlace): Promise<StockSshd> {
  const dir = await mkdtemp(join(tmpdir(), 'tl-sshd-'));
  for (const name of ['host', 'user'])
    await runOk('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)]);
  // Debian's sshd wants this folder, which its service makes.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  const host = place?.host ?? '127.0.0.1';
  const port = place?.port ?? (await freePort());
  const config = [
    `Port ${port}`,
    `ListenAddress ${host}`,
    `HostKey ${dir}/host`,
    `AuthorizedKeysFile ${dir}/user.pub`,
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin yes',
    `PidFile none`,
    ...more,
  ];
  await writeFile(join(dir, 'config'), `${config.join('\n')}\n`);
  const [program, ...words] = [...(place?.within ?? []), '/usr/sbin/sshd', '-D', '-e', '-f', join(dir, 'config')];
  const child = spawn(program, words, {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  await until('sshd listens', () => {
    if (child.exitCode !== null) throw new Error(`sshd ended: ${said}`);
    // It says so; in another network there is nothing to connect to from here.
    return place ? said.includes('Server listening on') : isOpen(port);
  });
  const user = userInfo().username;
  const keyFile = join(dir, 'user');
  const hostKey = (await runOk('ssh-keygen', ['-lf', join(dir, 'host.pub')])).split(' ')[1] ?? '';
  return {
    port,
    user,
    keyFile,
    hostKey,
    async jumpHost() {
      return { host, port, user, privateKey: await readFile(keyFile, 'utf8'), hostKeys: [hostKey] };
    },
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
      `${user}@${host}`,
    ],
    async close() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
