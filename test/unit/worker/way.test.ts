import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { Disposer } from '../../../src/base/disposer.ts';
import { UserMistake } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { initWorker } from '../../../src/worker/init-worker.ts';
import type { InitWorkerOptions } from '../../../src/worker/init-worker.ts';
import { parseJumpHost } from '../../../src/worker/jump-hosts.ts';
import { loadWorkerDir } from '../../../src/worker/worker-dir.ts';
import { openWorker } from '../../../src/worker/worker.ts';
import type { Worker } from '../../../src/worker/worker.ts';
import { freePort } from '../../support/ports.ts';
import { sshStand } from '../../support/ssh-stand.ts';
import type { SshStand } from '../../support/ssh-stand.ts';
import { startStockSshd } from '../../support/stock-sshd.ts';
import type { StockSshd } from '../../support/stock-sshd.ts';
import { until } from '../../support/until.ts';
import { SOME_HOST_KEY } from './try-worker.ts';

// Real processes on a machine that may be busy: only a hang takes so long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let gate: StockSshd;
let inner: StockSshd;
let master: SshStand;
beforeAll(async () => {
  [gate, inner, master] = await Promise.all([startStockSshd(), startStockSshd(), sshStand()]);
});
afterAll(() => Promise.all([gate.close(), inner.close(), master.close()]));

let undo: Disposer;
let dir: string;
beforeEach(async () => {
  undo = new Disposer();
  const root = await mkdtemp(join(tmpdir(), 'tl-way-'));
  dir = join(root, 'w');
  undo.add(() => rm(root, { recursive: true, force: true, maxRetries: 10 }));
});
afterEach(() => undo.dispose());

const at = (sshd: StockSshd): string => `${sshd.user}@127.0.0.1:${sshd.port}`;
const init = (more: Partial<InitWorkerOptions>): ReturnType<typeof initWorker> =>
  initWorker({ dir, name: 'w1', masters: [`127.0.0.1:${master.server.port}`], ...more });

/** What the worker logs as a warning. */
async function start(told: string[]): Promise<Worker> {
  const logger = { ...silentLogger, warn: (message: string) => void told.push(message) };
  const worker = await openWorker({ dir, clock: systemClock, logger });
  undo.add(() => worker.stop());
  return worker;
}

test('each host key on the way is shown and asked for, and all is written down', async () => {
  const asked: string[] = [];
  await init({
    jump: [at(gate), at(inner)],
    jumpKeys: [gate.keyFile, inner.keyFile],
    proxyCommand: `'${process.execPath}' -e 'const s=require("net").connect(%p,"%h");process.stdin.pipe(s).pipe(process.stdout)'`,
    confirm: async (fingerprint, { whose, option }) =>
      await Promise.resolve(asked.push(`${whose} ${fingerprint} ${option}`) > 0),
  });
  expect(asked).toEqual([
    `the jump host 127.0.0.1:${gate.port} ${gate.hostKey} --jump-host-key`,
    `the jump host 127.0.0.1:${inner.port} ${inner.hostKey} --jump-host-key`,
    `the master 127.0.0.1:${master.server.port} ${master.host.fingerprint} --host-key`,
  ]);
  const entry = ({ user, port, hostKey, keyFile }: StockSshd): object => ({
    user,
    host: '127.0.0.1',
    port,
    hostKeys: [hostKey],
    key: keyFile,
  });
  const { way, hostKeys } = await loadWorkerDir(dir);
  expect(way).toMatchObject({ jump: [entry(gate), entry(inner)], proxyCommand: expect.any(String) as string });
  expect(hostKeys).toEqual([master.host.fingerprint]);
});

test('without a key for jump hosts a worker gets one, is told when it can ask no further, and logs in once its key was let in', async () => {
  const jump = [at(gate)];
  await expect(init({ jump, confirm: async () => await Promise.resolve(true) })).rejects.toThrow(
    /the master .* cannot be asked for its host key: the jump host before it .* --host-key/,
  );
  const { publicKeyLine, jumpKeyLine } = await init({
    jump,
    jumpHostKeys: [gate.hostKey],
    hostKeys: [master.host.fingerprint],
  });
  expect(jumpKeyLine).not.toBe(publicKeyLine);
  const told: string[] = [];
  await start(told);
  await until('the jump host refuses it', () => told.length > 0);
  expect(told[0]).toMatch(
    /the jump host .* refused the login of .*; let its key in there, in authorized_keys: .*worker\.json/,
  );
  await appendFile(`${gate.keyFile}.pub`, `restrict,port-forwarding ${jumpKeyLine}\n`);
  await until('the master refuses it', () => told.length > 1);
  expect(told[1]).toMatch(/refused the login of w1.*worker add w1/);
});

test('the good one of two masters is found, and the other is told with what to do', async () => {
  const gone = await freePort();
  const key = master.workerKey;
  await init({
    masters: [`127.0.0.1:${gone}`, `127.0.0.1:${master.server.port}`],
    jump: [at(gate)],
    jumpKeys: [gate.keyFile],
    jumpHostKeys: [gate.hostKey],
    hostKeys: [master.host.fingerprint],
  });
  await writeFile(join(dir, 'key'), key.privateKey);
  const told: string[] = [];
  await start(told);
  await until('it is let in', () => master.logged.some((line) => line.startsWith('logged in')));
  await until('the other is told', () =>
    told.some((line) => line.includes(`cannot reach 127.0.0.1:${gone}: Connection refused; see that the master runs`)),
  );
});

test('words that cannot be meant are refused before anything is made', async () => {
  const known = { hostKeys: [SOME_HOST_KEY], jump: ['u@gate'] };
  for (const [words, told] of [
    [{ jump: ['gate'] }, /"gate" is no jump host: give USER@HOST/],
    [{ jumpHostKeys: ['SHA256:short'] }, /no fingerprint/],
    [{ jumpHostKeys: [SOME_HOST_KEY, SOME_HOST_KEY] }, /2 host keys of jump hosts are given, but 1 jump hosts/],
    [{ jumpKeys: ['/a', '/b'] }, /one --jump-key for all/],
    [{ jumpKeys: ['/no/such/key'], jumpHostKeys: [SOME_HOST_KEY] }, /there is no key \/no\/such\/key/],
    [{ jump: [], jumpKeys: ['/a'] }, /without --jump/],
    [{ proxyCommand: 'nc %x' }, /--proxy-command: "%x" stands for nothing/],
    [{ proxyCommand: ' ' }, /--proxy-command: it is no command/],
  ] as const) {
    const refused = init({ ...known, ...words });
    await expect(refused).rejects.toThrow(UserMistake);
    await expect(refused).rejects.toThrow(told);
  }
  await expect(readFile(join(dir, 'key'))).rejects.toThrow(/ENOENT/);
});

test('a mistake in worker.json is told with its place', async () => {
  await init({ hostKeys: [SOME_HOST_KEY] });
  const file = join(dir, 'worker.json');
  const made = JSON.parse(await readFile(file, 'utf8')) as object;
  const good = { user: 'u', host: 'gate', hostKeys: [SOME_HOST_KEY], key: 'gate.key' };
  for (const [more, told] of [
    [{ jump: good }, /worker\.json cannot be used: jump: expected a list/],
    [{ jump: ['u@gate'] }, /jump\[0\]: expected a map/],
    [{ jump: [good, { ...good, user: 'a b' }] }, /jump\[1\]\.user: expected/],
    [
      { jump: [{ ...good, host: 'gate:22' }] },
      /jump\[0\]\.host: "gate:22" is no host; its port has a field of its own/,
    ],
    [{ jump: [{ ...good, port: 70_000 }] }, /jump\[0\]\.port: expected an integer from 1 to 65535/],
    [{ jump: [{ ...good, hostKeys: [] }] }, /jump\[0\]\.hostKeys is empty/],
    [{ jump: [{ ...good, hostKeys: undefined }] }, /jump\[0\]\.hostKeys: expected a list/],
    [{ jump: [{ ...good, key: undefined }] }, /jump\[0\]\.key: expected text/],
    [{ proxyCommand: 'nc %h %q' }, /proxyCommand: "%q" stands for nothing/],
    [{ masters: ['u@ci'] }, /worker\.json cannot be used: masters: "u@ci" is no address/],
  ] as const) {
    await writeFile(file, JSON.stringify({ ...made, ...more }));
    await expect(loadWorkerDir(dir)).rejects.toThrow(UserMistake);
    await expect(loadWorkerDir(dir)).rejects.toThrow(told);
  }
  await writeFile(file, JSON.stringify({ ...made, jump: [{ ...good, host: '::1' }] }));
  await loadWorkerDir(dir);
  await expect(start([])).rejects.toThrow(`there is no key ${join(dir, 'gate.key')}`);
});

test.each([
  ['u@gate', { user: 'u', host: 'gate', port: 22 }],
  [' ci-1@gate.example.org:2022', { user: 'ci-1', host: 'gate.example.org', port: 2022 }],
  ['u@[::1]:22', { user: 'u', host: '::1', port: 22 }],
])('the jump host %s', (text, address) => {
  expect(parseJumpHost(text)).toEqual(address);
});

test.each(['', 'gate', '@gate', 'u@', 'u@gate:0', 'u v@gate', 'u@a@b', '-l@gate'])('no jump host: %j', (text) => {
  expect(() => parseJumpHost(text)).toThrow(UserMistake);
});
