import { chmod, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { InviteView } from '../../src/master/views/worker.ts';
import { BareAccount } from '../support/bare-account.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { run } from '../support/run.ts';
import type { Ran } from '../support/run.ts';
import { until } from '../support/until.ts';

const CONFIG = `
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'New machines',
  workers: [worker('n1'), worker('n2'), worker('n3'), worker('n4')],
  projects: [project('p', { builders: [builder('b', { workers: ['n1'], steps: [sh('greet', 'echo hello from $HOME; uname')] })], schedulers: [force()] })],
});
`;
/** What the design promises, in seconds, from the paste to the end of the first build. */
const PROMISED_SECONDS = 60;

let farm: Farm;
let master: Daemon;
beforeAll(async () => {
  farm = await Farm.create();
  await farm.config(CONFIG);
  master = await farm.startMaster();
});
afterAll(() => farm.close());

async function invite(name: string, ...more: readonly string[]): Promise<InviteView> {
  const ran = await farm.ssh(['worker', 'invite', name, '--host', `127.0.0.1:${farm.port}`, '--json', ...more]);
  expect(ran.stderr).toBe('');
  return JSON.parse(ran.text) as InviteView;
}

/** What it says on standard error, which is one line, and that it failed. */
function failure(ran: Ran): string {
  expect(ran.status).not.toBe(0);
  expect(ran.stderr).toMatch(/^[^\n]+\n$/);
  return ran.stderr;
}

const codeIn = (line: string): string => /join\+[0-9a-f]{32}/.exec(line)?.[0] ?? '';

test('one pasted line makes a bare account a worker, within a minute to its first build', async () => {
  const account = await BareAccount.make();
  onTestFinished(() => account.remove('n1'));
  const { line } = await invite('n1');
  expect(line).not.toContain('\n');
  expect((await farm.ssh(['force', 'p/b'])).status).toBe(0);

  const began = performance.now();
  const pasted = await account.paste(line);
  expect([pasted.stderr, pasted.status]).toEqual(['', 0]);
  const connectedMs = performance.now() - began;
  await until('the build is begun', async () => (await farm.list()).length > 0);
  const build = await farm.finished(1);
  expect([build.result, build.summary, (await farm.log(1, 'greet')).toString()]).toEqual([
    'success',
    null,
    expect.stringContaining('hello from'),
  ]);
  const seconds = (performance.now() - began) / 1_000;
  process.stderr.write(
    `from paste to connected ${(connectedMs / 1_000).toFixed(1)} s, to the end of the first build ${seconds.toFixed(1)} s\n`,
  );
  expect(seconds).toBeLessThan(PROMISED_SECONDS);
  expect((await farm.log(1, 'greet')).toString()).toContain(`hello from ${account.home}`);

  const dir = join(account.home, 'trunkline-n1');
  expect(pasted.text).toContain(`worker n1 is connected to 127.0.0.1:${farm.port}; its folder is ${dir}`);
  expect(pasted.text).toMatch(/@reboot .*worker\.mjs start .*trunkline-n1 --detach/);
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
  // Nothing but the folder is left behind, and the code nowhere in it.
  expect((await readdir(account.home)).filter((name) => !name.startsWith('.'))).toEqual(['trunkline-n1']);
  expect(await readFile(join(dir, 'join.sh'), 'utf8')).not.toContain(codeIn(line));

  // The code is used up: what is pasted again finds all done.
  const again = await account.paste(line);
  expect([again.stderr, again.status]).toEqual(['', 0]);
  expect(again.text).toContain('worker n1 is connected');
  // So it does when the daemon was stopped meanwhile.
  await account.run([join(account.home, '.bin/node'), join(dir, 'worker.mjs'), 'stop', dir]);
  expect((await account.paste(line)).text).toContain('worker n1 is connected');
  await until('the log tells of it', () => master.stderr().includes('a worker was enrolled'));
  expect(master.stderr()).not.toContain(codeIn(line));
});

test('a line makes one worker: of two machines at once one is told, and nothing else goes with its code', async () => {
  const one = await BareAccount.make();
  const other = await BareAccount.make();
  onTestFinished(async () => {
    await one.remove('n2');
    await other.remove('n2');
  });
  const { line } = await invite('n2');
  const pasted = await Promise.all([one.paste(line), other.paste(line)]);
  expect(pasted.map(({ status }) => String(status)).toSorted()).toEqual(['0', '1']);
  const lost = pasted.find(({ status }) => status === 1)!;
  expect(failure(lost)).toMatch(/another machine was faster|this invitation is not open/);
  await farm.workerIs('n2', 'connected');

  // Used up, guessed, taken back: all the same to whoever has the code.
  const third = await BareAccount.make();
  onTestFinished(() => third.remove());
  expect(failure(await third.paste(line))).toMatch(/^trunkline: this invitation is not open/);
  const guessed = codeIn(line).replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  expect(failure(await third.paste(line.replace(codeIn(line), guessed)))).toMatch(/this invitation is not open/);
  const another = await invite('n3');
  expect((await farm.ssh(['worker', 'invitations'])).text).toMatch(/n3 +admin/);
  expect((await farm.ssh(['worker', 'uninvite', 'n3'])).status).toBe(0);
  expect(failure(await third.paste(another.line))).toMatch(/this invitation is not open/);
  expect((await farm.ssh(['worker', 'uninvite', 'n3'])).status).toBe(66);
  expect(await readdir(third.home)).toEqual(['.bin']);

  // Neither the log nor the database has any of the codes.
  for (const code of [codeIn(line), guessed, codeIn(another.line)]) {
    expect(master.stderr()).not.toContain(code);
    expect((await run('grep', ['-rl', code, farm.masterDir])).text).toBe('');
  }
});

test('an invitation outlives the master, killed before and after it has let the key in', async () => {
  const account = await BareAccount.make();
  onTestFinished(() => account.remove('n3'));
  const ssh = join(account.home, '.bin/ssh');
  await rename(ssh, `${ssh}.real`);
  const { line } = await invite('n3');
  for (const [when, before, after] of [
    ['before', 'mark', 'exit'],
    ['after', 'exit', 'mark'],
  ] as const) {
    // Stands still around the enrolment until the master is dead.
    const mark = `echo >"$HOME/at-${when}"; until [ -e "$HOME/go-${when}" ]; do sleep 0.1; done`;
    const lines = [before === 'mark' ? mark : '', '"$0.real" "$@"; status=$?', after === 'mark' ? mark : ''];
    const enrol = ['[ "$5" = enrol ] || exec "$0.real" "$@"', ...lines, after === 'mark' ? 'exit 255' : 'exit $status'];
    await writeFile(ssh, `#!${join(account.home, '.bin/sh')}\n${enrol.join('\n')}\n`);
    await chmod(ssh, 0o755);
    const pasting = account.paste(line);
    await until(`it is ${when} the enrolment`, async () => (await readdir(account.home)).includes(`at-${when}`));
    await master.end('SIGKILL');
    await writeFile(join(account.home, `go-${when}`), '');
    expect(failure(await pasting)).toMatch(/refused|ended|closed/i);
    master = await farm.startMaster();
  }
  await rm(ssh);
  await symlink(`${ssh}.real`, ssh);
  const pasted = await account.paste(line);
  expect([pasted.stderr, pasted.status]).toEqual(['', 0]);
  expect(pasted.text).toContain('worker n3 is connected');
});

test('what is missing, or not the master, is told in one line in any shell', async () => {
  const { line } = await invite('n4');
  const tell = async (without: readonly string[], pasted = line, shell = ['sh']): Promise<string> => {
    const account = await BareAccount.make(without);
    const said = failure(await account.paste(pasted, { shell }));
    await account.remove();
    return said;
  };
  expect(await tell(['ssh'])).toMatch(/ssh is missing here: install/);
  expect(await tell(['node'])).toMatch(/node is missing here: install/);
  const other = (await farm.makeKey('other')).split(' ')[1] ?? '';
  const stranger = line.replace(/ssh-ed25519 [^ ']+/, `ssh-ed25519 ${other}`);
  const shells = [['sh'], ['bash'], ['busybox', 'sh']];
  for (const [name = '', ...more] of shells) {
    const found = await run('sh', ['-c', `command -v ${name}`]);
    if (found.status !== 0 && !process.env['CI'])
      process.stderr.write(`skipped: the line in ${name}: it is not here\n`);
    else expect(await tell([], stranger, [found.text.trim(), ...more])).toMatch(/Host key verification failed/);
  }
  const account = await BareAccount.make();
  onTestFinished(() => account.remove());
  await writeFile(join(account.home, 'letter'), 'mine');
  expect(failure(await account.paste(line, { env: { TRUNKLINE_DIR: account.home } }))).toMatch(/holds something else/);
  expect((await readdir(account.home)).toSorted()).toEqual(['.bin', 'letter']);
});

test('a key that knocked under a free name is let in by approve, and by its fingerprint when there were several', async () => {
  const knock = async (key: string, name: string): Promise<string> => {
    await farm.makeKey(key);
    const args = farm.sshArgs(key).map((word) => word.replace(`${key}@`, `${name}@`));
    expect((await run('ssh', [...args, 'status'])).status).toBe(255);
    return (await run('ssh-keygen', ['-lf', `${farm.keyFile(key)}.pub`])).text.split(' ')[1] ?? '';
  };
  const first = await knock('first', 'n4');
  await knock('operator', 'admin');
  const list = async () =>
    JSON.parse((await farm.ssh(['worker', 'knocks', '--json'])).text) as { fingerprint: string }[];
  expect(await list()).toMatchObject([{ name: 'n4', fingerprint: first, address: '127.0.0.1', count: 1 }]);
  const second = await knock('second', 'n4');
  expect((await farm.ssh(['worker', 'approve', 'n4'])).stderr).toMatch(
    /2 keys have knocked as n4: say which with --key/,
  );
  expect((await farm.ssh(['worker', 'approve', 'n5'])).status).toBe(66);
  expect((await farm.ssh(['worker', 'approve', 'n4', '--key', second, '--json'])).text).toContain(second);
  expect(await list()).toEqual([]);
  const refused = await farm.ssh(['worker', 'invite', 'n4']);
  expect([refused.status, refused.stderr]).toEqual([69, expect.stringMatching(/n4 is a worker already.*--again/)]);
  // The admitted key opens subsystems; the other one is still nobody's.
  const login = async (key: string): Promise<void> => {
    const args = farm.sshArgs(key).map((word) => word.replace(`${key}@`, 'n4@'));
    await run('ssh', [...args.slice(0, -1), '-s', ...args.slice(-1), 'trunkline-mux'], { input: '' });
  };
  await login('first');
  expect(master.stderr()).not.toMatch(/logged in.*"n4"/);
  await login('second');
  await until('it is logged in', () => /logged in.*"n4"/.test(master.stderr()));
});
