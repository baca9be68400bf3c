import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import type { Carrier } from '../../../src/transport/carrier.ts';
import { fillProxyCommand } from '../../../src/transport/proxy-command.ts';
import { connectSsh } from '../../../src/transport/ssh-client.ts';
import { freePort, isOpen } from '../../support/ports.ts';
import { sshStand } from '../../support/ssh-stand.ts';
import type { SshStand } from '../../support/ssh-stand.ts';
import { startStockSshd } from '../../support/stock-sshd.ts';
import { isMissing } from '../../support/tools.ts';
import { until } from '../../support/until.ts';

test('the placeholders are those of ssh', () => {
  const at = { host: 'ci.example.org', port: 2222, user: 'w1' };
  expect(fillProxyCommand('nc -x proxy:1080 %h %p # %r, 100%%', at)).toBe(
    'nc -x proxy:1080 ci.example.org 2222 # w1, 100%',
  );
  expect(() => fillProxyCommand('nc %n %p', at)).toThrow('"%n" stands for nothing');
  expect(() => fillProxyCommand('nc %', at)).toThrow('"%" stands for nothing');
});

/** A program that passes bytes on; `before` is run by the shell first. */
const pipe = (before = ''): string =>
  `${before}exec '${process.execPath}' -e 'const s=require("net").connect(%p,"%h");process.stdin.pipe(s).pipe(process.stdout)'`;

describe('a proxy command', () => {
  const open: { close(): Promise<unknown> }[] = [];
  let dir: string;
  let made: SshStand;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tl-p-'));
    open.push({ close: () => rm(dir, { recursive: true, force: true }) });
    made = await sshStand({ onWorker: (carrier) => carrier.onChannel(echo) });
    open.push(made);
  });
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing.close();
  });

  const logged: string[] = [];
  beforeEach(() => logged.splice(0));
  function worker(proxyCommand: string, more: object = {}): Promise<Carrier> {
    return connectSsh({
      host: '127.0.0.1',
      port: made.server.port,
      user: 'w1',
      privateKey: made.workerKey.privateKey,
      hostKeys: [made.host.fingerprint],
      way: { proxyCommand, jumpHosts: [] },
      logger: { ...silentLogger, info: (message) => logged.push(message) },
      ...more,
    });
  }

  it('carries the connection; its words go to the log, and it ends with the connection, children and all', async () => {
    const pids = join(dir, 'pids');
    // A child of it that hears no SIGTERM.
    const stubborn = `(trap '' TERM; while sleep 0.05; do :; done) & echo $! > ${pids}; echo $$ >> ${pids}; echo 'using squid' >&2; `;
    const near = await worker(pipe(stubborn));
    expect(await echoed(near, 3 * 1024 * 1024)).toBe(3 * 1024 * 1024);
    expect(logged).toEqual(['the proxy command says: using squid']);
    near.destroy('done');
    expect(await near.closed).toBe('done');
    const [child = 0, shell = 0] = (await readFile(pids, 'utf8')).trim().split('\n').map(Number);
    await until('both are gone', () => !existsSync(`/proc/${child}`) && !existsSync(`/proc/${shell}`));
  });

  it('that ends is told with its status and its last words', async () => {
    await expect(worker("echo 'one' >&2; printf 'proxy: no route' >&2; exit 3")).rejects.toMatchObject({
      code: 'proxy-failed',
      message: 'the proxy command ended with status 3: proxy: no route',
    });
    await expect(worker('kill -9 $$')).rejects.toThrow('the proxy command was ended by SIGKILL');
    await expect(worker('/no/such/program')).rejects.toThrow(/ended with status 127: .*not found/);
    const near = await worker(pipe(`echo $$ > ${dir}/pid; `));
    process.kill(Number(await readFile(join(dir, 'pid'), 'utf8')), 'SIGKILL');
    expect(await near.closed).toBe('the proxy command was ended by SIGKILL');
  });

  it('that closes its output, or says nothing, is given up', async () => {
    await expect(worker('exec >&-; sleep 600')).rejects.toThrow('the proxy command closed its output');
    await expect(worker('sleep 600', { connectTimeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
  });

  it('that talks without end fills no log', async () => {
    await expect(worker("head -c 3000000 /dev/zero | tr '\\0' x >&2; yes >&2 & sleep 0.3; exit 1")).rejects.toThrow(
      /ended with status 1: /,
    );
    expect(logged.length).toBeLessThanOrEqual(21);
    for (const line of logged) expect(line.length).toBeLessThan(600);
    expect(logged.at(-1)).toBe('what else the proxy command says is left out');
  });

  it('leads to the first of the jump hosts', async () => {
    const sshd = await startStockSshd();
    open.push(sshd);
    const near = await worker('', {
      way: { proxyCommand: pipe(`echo %h %p %r > ${dir}/asked; `), jumpHosts: [await sshd.jumpHost()] },
    });
    expect(await echoed(near, 100_000)).toBe(100_000);
    expect(await readFile(join(dir, 'asked'), 'utf8')).toBe(`127.0.0.1 ${sshd.port} ${sshd.user}\n`);
    near.destroy('done');
  });

  it.skipIf(isMissing('microsocks', 'nc'))('is nc through a real SOCKS5 server', async () => {
    const port = await freePort();
    await serve('microsocks', ['-i', '127.0.0.1', '-p', String(port)], port);
    const near = await worker(`nc -X 5 -x 127.0.0.1:${port} %h %p`);
    expect(await echoed(near, 3_000_000)).toBe(3_000_000);
    near.destroy('done');
    await expect(worker(`nc -X 5 -x 127.0.0.1:${port} %h 1`)).rejects.toThrow(/the proxy command ended with status 1/);
  });

  it.skipIf(isMissing('tinyproxy', 'nc'))('is nc through a real HTTP proxy', async () => {
    const port = await freePort();
    const config = join(dir, 'tinyproxy.conf');
    await writeFile(config, [`Port ${port}`, 'Listen 127.0.0.1', `ConnectPort ${made.server.port}`, ''].join('\n'));
    await serve('tinyproxy', ['-d', '-c', config], port);
    const near = await worker(`nc -X connect -x 127.0.0.1:${port} %h %p`);
    expect(await echoed(near, 3_000_000)).toBe(3_000_000);
    near.destroy('done');
    await expect(worker(`nc -X connect -x 127.0.0.1:${port} %h 1`)).rejects.toThrow(
      /the proxy command ended with status 1: nc: Proxy error: .*403/,
    );
  });

  async function serve(program: string, args: readonly string[], port: number): Promise<void> {
    const child = spawn(program, args, { stdio: 'ignore' });
    const gone = once(child, 'exit');
    open.push({
      close: async () => {
        child.kill('SIGKILL');
        await gone;
      },
    });
    await until(`${program} listens`, () => isOpen(port));
  }
});

function echo(channel: Parameters<Parameters<Carrier['onChannel']>[0]>[0]): void {
  channel.onData((bytes) => channel.write(Uint8Array.from(bytes)));
}

/** Sends so many bytes and counts what comes back. */
async function echoed(near: Carrier, bytes: number): Promise<number> {
  const channel = await near.openChannel('trunkline-session');
  let received = 0;
  channel.onData((piece) => (received += piece.length));
  channel.write(Buffer.alloc(bytes));
  await until('it came back', () => received >= bytes);
  return received;
}
