import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { BareRepository } from '../../../support/bare-repository.ts';
import { ErrorLog } from '../../../support/error-log.ts';
import { startGitHttp } from '../../../support/git-http-server.ts';
import { PollBench } from '../../../support/poll-bench.ts';
import type { Polled, PollBenchOptions } from '../../../support/poll-bench.ts';
import { runOk } from '../../../support/run.ts';
import { startStockSshd } from '../../../support/stock-sshd.ts';
import { isMissing } from '../../../support/tools.ts';
import { until } from '../../../support/until.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let dir: string;
let kate: BareRepository;
let bench: PollBench | undefined;
let lines: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-bad-'));
  kate = await BareRepository.make(join(dir, 'kate.git'));
  await kate.commit('main');
  lines = [];
});
afterEach(async () => {
  await bench?.close();
  bench = undefined;
  await rm(dir, { recursive: true, force: true });
});

async function open(projects: Polled, options: PollBenchOptions = {}): Promise<PollBench> {
  const { logger } = new ErrorLog((line) => lines.push(line));
  bench = await PollBench.open(projects, { logger, ...options });
  return bench;
}

/** A file with a secret in the master's folder. */
async function secret(name: string, text: string): Promise<void> {
  await writeFile(join(bench?.dir ?? '', name), `${text}\n`, { mode: 0o600 });
}

test('a repository that is gone is told once, asked less often, and polled again when it is back', async () => {
  const { polls, poll } = await bound({ p: [kate.dir, { poll: '1h' }], q: ['/nowhere/at-all'] });
  await poll();
  await rename(kate.dir, `${kate.dir}.away`);
  for (let n = 0; n < 2; n++) await expect(poll()).rejects.toThrow(/there is no repository; git says: .*kate\.git/);
  const failed = (await polls.list()).find(({ url }) => url === kate.dir);
  expect(failed?.error).toMatch(/^there is no repository/);
  expect(failed?.errorSinceMs).toBeLessThanOrEqual(failed?.polledAtMs ?? 0);
  expect((failed?.nextAtMs ?? 0) - (failed?.polledAtMs ?? 0)).toBeGreaterThan(50 * 60_000);
  // The other one's troubles are its own.
  await expect(polls.poll('/nowhere/at-all')).rejects.toThrow('there is no repository');
  await rename(`${kate.dir}.away`, kate.dir);
  await kate.commit('main', { message: 'back' });
  expect(await poll()).toEqual(['p main back']);
  expect((await polls.list()).map(({ error }) => error === null)).toEqual([true, false]);
  const told = lines.filter((line) => line.includes(kate.dir));
  expect(told).toEqual([expect.stringMatching(/cannot be polled/), expect.stringMatching(/can be polled again/)]);
});

async function bound(projects: Polled) {
  const opened = await open(projects);
  return { polls: opened.polls, poll: () => opened.poll(kate.dir) };
}

describe('a server that never answers', () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.resume()));
  let url: string;
  beforeEach(async () => {
    sockets.length = 0;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `git://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`;
  });
  afterEach(() => server.close());

  /** Resolves when git waits for it, to what resolves when git is gone. */
  async function connected(): Promise<{ readonly gone: Promise<unknown> }> {
    const socket = await until('git has connected', () => sockets[0]);
    return { gone: once(socket, 'close') };
  }

  test('it is given up, with all that was started for it', async () => {
    const clock = new FakeClock();
    const { polls } = await open({ p: [url] }, { clock });
    const polled = polls.poll(url);
    const { gone } = await connected();
    clock.advance(60_000);
    await expect(polled).rejects.toThrow('git took longer than 1m');
    await gone;
  });

  test('it does not hold up a reload that leaves it out, nor the end of the master', async () => {
    const { polls } = await open({ p: [url] });
    const polled = polls.poll(url);
    const { gone } = await connected();
    bench?.change({ p: [kate.dir], q: [url.replace('x.git', 'y.git')] });
    await expect(polled).rejects.toThrow('it is not polled any more');
    await gone;
    sockets.length = 0;
    const other = polls.poll(url.replace('x.git', 'y.git'));
    const again = await connected();
    await Promise.all([expect(other).rejects.toThrow('the master stops'), polls.close()]);
    await again.gone;
  });
});

test('a mirror that grows over its limit is not kept', async () => {
  const { polls } = await open({ p: [kate.dir, { mirrorLimit: '1MiB' }] });
  await polls.poll(kate.dir);
  await kate.commit('main', { message: 'small' });
  expect(await bench?.poll(kate.dir)).toEqual(['p main small']);
  await writeFile(join(dir, 'big'), randomBytes(3 * 1024 * 1024));
  const blob = await kate.git('hash-object', '-w', join(dir, 'big'));
  const tree = await runOk('git', ['mktree'], { cwd: kate.dir, input: `100644 blob ${blob}\tbig\n` });
  const who = ['-c', 'user.name=A', '-c', 'user.email=a@x'];
  await kate.set('refs/heads/main', await kate.git(...who, 'commit-tree', '-m', 'big', tree));
  const said = /its mirror takes more than 1 MiB \(3\.\d MiB\): raise mirrorLimit, or poll fewer branches/;
  await expect(polls.poll(kate.dir)).rejects.toThrow(said);
  expect(await readdir(join(bench?.dir ?? '', 'mirrors'))).toEqual([]);
  expect(await polls.list()).toMatchObject([{ error: expect.stringMatching(said) }]);
  bench?.change({ p: [kate.dir, { mirrorLimit: '1GiB' }] });
  expect(await bench?.poll(kate.dir)).toEqual(['p main big']);
});

test('no hook is run in a mirror, whoever put it there', async () => {
  const { polls, dir: masterDir } = await open({ p: [kate.dir] });
  await polls.poll(kate.dir);
  await kate.commit('main', { message: 'one' });
  await polls.poll(kate.dir);
  const [mirror = ''] = await readdir(join(masterDir, 'mirrors'));
  const hooks = join(masterDir, 'mirrors', mirror, 'hooks');
  await mkdir(hooks, { recursive: true });
  const made = join(dir, 'made');
  await writeFile(join(hooks, 'reference-transaction'), `#!/bin/sh\ntouch ${made}\n`, { mode: 0o755 });
  await kate.commit('main', { message: 'two' });
  expect(await bench?.poll(kate.dir)).toEqual(['p main two']);
  await expect(stat(made)).rejects.toMatchObject({ code: 'ENOENT' });
});

describe('over http with a password', () => {
  test('git is told it, and nobody else; a wrong one is told', async () => {
    const server = await startGitHttp(dir, 'ann', 'open sesame');
    try {
      const url = `${server.url}/kate.git`;
      const { polls } = await open({ p: [url, { user: 'ann', passwordFile: 'pass' }] });
      await expect(polls.poll(url)).rejects.toThrow(/the password file of a source .*pass is missing/);
      await secret('pass', 'open sesame');
      await chmod(join(bench?.dir ?? '', 'pass'), 0o644);
      await expect(polls.poll(url)).rejects.toThrow('may be opened by others');
      await chmod(join(bench?.dir ?? '', 'pass'), 0o600);
      expect(await bench?.poll(url)).toEqual([]);
      await kate.commit('main', { message: 'one' });
      expect(await bench?.poll(url)).toEqual(['p main one']);
      expect(server.users).toContain('ann');
      await secret('pass', 'shut sesame');
      await expect(polls.poll(url)).rejects.toThrow('it wants a user and a password, or refuses ours');
      bench?.change({ p: [url] });
      await expect(polls.poll(url)).rejects.toThrow('it wants a user and a password, or refuses ours');
      expect(lines.join('\n')).not.toContain('sesame');
    } finally {
      await server.close();
    }
  });
});

describe.skipIf(isMissing('sshd', 'ssh-keygen'))('over stock ssh', () => {
  test('the key and the host key are those of the configuration; wrong ones are told', async () => {
    const sshd = await startStockSshd();
    try {
      const url = `ssh://${sshd.user}@127.0.0.1:${sshd.port}${kate.dir}`;
      const options = { sshKeyFile: 'key', knownHostsFile: 'known hosts' };
      const { polls, dir: masterDir } = await open({ p: [url, options] });
      await expect(polls.poll(url)).rejects.toThrow(/the ssh key of a source .*key is missing: put it there/);
      await copyFile(sshd.keyFile, join(masterDir, 'key'));
      await chmod(join(masterDir, 'key'), 0o600);
      await expect(polls.poll(url)).rejects.toThrow(/the known hosts of a source .* is missing/);
      const [kind, key] = (await readFile(join(sshd.keyFile, '../host.pub'), 'utf8')).split(' ');
      await writeFile(join(masterDir, 'known hosts'), `[127.0.0.1]:${sshd.port} ${kind} ${key}\n`);
      expect(await bench?.poll(url)).toEqual([]);
      await kate.commit('main', { message: 'one' });
      expect(await bench?.poll(url)).toEqual(['p main one']);
      const [, other] = (await readFile(`${sshd.keyFile}.pub`, 'utf8')).split(' ');
      await writeFile(join(masterDir, 'known hosts'), `[127.0.0.1]:${sshd.port} ${kind} ${other}\n`);
      await expect(polls.poll(url)).rejects.toThrow('its host key is not in knownHostsFile');
      await writeFile(join(masterDir, 'known hosts'), `[127.0.0.1]:${sshd.port} ${kind} ${key}\n`);
      await rm(join(masterDir, 'key'));
      await runOk('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(masterDir, 'key')]);
      await expect(polls.poll(url)).rejects.toThrow('it does not let our ssh key in');
    } finally {
      await sshd.close();
    }
  });
});
