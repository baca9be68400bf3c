import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pre, sample, string } from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TokenView } from '../../src/master/views/pass.ts';
import type { RequestView } from '../../src/master/views/request.ts';
import { Farm, PROGRAM, trunkline } from '../support/farm.ts';
import { run, runOk } from '../support/run.ts';
import type { Ran, RunOptions } from '../support/run.ts';
import { until } from '../support/until.ts';

let farm: Farm;
let repository: string;
let env: Record<string, string>;

/** What a person's ~/.ssh/config says is said here by a configuration that stock ssh is called with. */
async function sshOnPath(): Promise<string> {
  const bin = join(farm.dir, 'bin');
  await mkdir(bin);
  const config = [
    `IdentityFile ${farm.keyFile('admin')}`,
    'IdentitiesOnly yes',
    'BatchMode yes',
    `UserKnownHostsFile ${join(farm.dir, 'known_hosts')}`,
    'StrictHostKeyChecking accept-new',
    'LogLevel ERROR',
  ];
  await writeFile(join(farm.dir, 'ssh_config'), `${config.join('\n')}\n`);
  const real = await runOk('sh', ['-c', 'command -v ssh']);
  await writeFile(join(bin, 'ssh'), `#!/bin/sh\nexec ${real} -F ${join(farm.dir, 'ssh_config')} "$@"\n`);
  await chmod(join(bin, 'ssh'), 0o755);
  return `${bin}:${process.env['PATH']}`;
}

beforeAll(async () => {
  farm = await Farm.create();
  repository = await farm.repository('code', { 'a.txt': 'one\n' });
  await farm.config(`
import { builder, checkout, defineMaster, force, git, project, sh, tryBuilds, worker } from 'trunkline';
export default defineMaster({
  title: 'Elsewhere',
  workers: [worker('w'), worker('nowhere')],
  projects: [project('p', {
    source: git(${JSON.stringify(repository)}),
    builders: [
      builder('b', { workers: ['w'], steps: [checkout(), sh('show', 'cat a.txt')] }),
      builder('idle', { workers: ['nowhere'], steps: [sh('s', 'true')] }),
    ],
    schedulers: [force(), tryBuilds()],
  })],
});
`);
  await farm.startMaster();
  env = { PATH: await sshOnPath(), TRUNKLINE_MASTER: `admin@127.0.0.1:${farm.port}` };
  await farm.addWorker('w');
  await farm.startWorker('w');
  expect((await farm.build('p/b')).result).toBe('success');
  expect((await farm.ssh(['force', 'p/idle'])).status).toBe(0);
});
afterAll(() => farm.close());

const say = (words: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  trunkline(words, { ...options, env: { ...env, ...options.env } });

test('a verb is answered as by ssh: output, errors, exit status, standard input', async () => {
  const { configHash } = JSON.parse((await say(['status', '--json'])).text) as { configHash: string };
  const explicit = await say(['--master', env['TRUNKLINE_MASTER'] ?? '', 'status', '--json'], {
    env: { TRUNKLINE_MASTER: 'nobody@nowhere.invalid' },
  });
  expect(JSON.parse(explicit.text)).toMatchObject({ configHash });
  const missing = await say(['build', '99']);
  expect([missing.status, missing.text, missing.stderr]).toEqual([66, '', expect.stringContaining('no build 99')]);
  const key = await farm.makeKey('another');
  const added = await say(['worker', 'add', 'another', '--json'], { input: key });
  expect([added.text, added.status]).toEqual(['{"added":"another"}\n', 0]);
  // What is a command here stays one; `--master` alone asks for help.
  expect((await say(['worker', 'start'])).stderr).toMatch(/missing required argument/);
  expect((await say(['--master', env['TRUNKLINE_MASTER'] ?? ''])).text).toContain('You are admin');
});

test('every argument reaches the master as it is', async () => {
  const random = sample(
    string({ unit: 'binary', minLength: 1, maxLength: 50 }).map((text) => {
      // No command line can hold a NUL, and half a surrogate pair is no text.
      const label = Buffer.from(text).toString().replaceAll('\0', '0');
      pre(label.trim() !== '');
      return label;
    }),
    4,
  );
  const labels = ['it\'s $(touch x) `id` "q" \\', '--', ' a  b\nc\t', '*?[~#! ü☃𝄞', ...random];
  for (const label of labels) {
    const ran = await say(['token', 'add', '--json', '--', label]);
    expect([label, ran.stderr, (JSON.parse(ran.text || '{}') as Partial<TokenView>).label]).toEqual([label, '', label]);
  }
});

test('a try without a patch takes what changed in the working tree since it left its upstream', async () => {
  const clone = join(farm.dir, 'clone');
  await runOk('git', ['clone', '-q', repository, clone]);
  const nothing = await say(['try', 'p/b'], { cwd: clone, input: '' });
  expect(nothing.status).not.toBe(0);
  const inTree = (words: readonly string[], cwd = clone): Promise<Ran> =>
    // Its standard input is /dev/null: there is no patch.
    run('sh', ['-c', 'exec "$@" < /dev/null', 'sh', process.execPath, PROGRAM, ...words], { cwd, env });
  const same = await inTree(['try', 'p/b']);
  expect([same.status, same.stderr]).toEqual([1, expect.stringContaining('nothing differs')]);
  await writeFile(join(clone, 'a.txt'), 'one\ntwo\n');
  await runOk('git', ['-c', 'user.name=A', '-c', 'user.email=a@b', 'commit', '-qam', 'Mine'], { cwd: clone });
  await writeFile(join(clone, 'a.txt'), 'one\ntwo\nthree\n');
  await writeFile(join(clone, 'new.txt'), 'x');
  await mkdir(join(clone, 'deep'));
  // Whatever a person likes to read diffs in.
  for (const set of ['diff.noprefix', 'diff.mnemonicPrefix', 'diff.relative'])
    await runOk('git', ['config', set, 'true'], { cwd: clone });
  const tried = await inTree(['try', 'p/b', '--wait', '--json'], join(clone, 'deep'));
  expect([tried.status, tried.stderr]).toEqual([
    0,
    expect.stringMatching(/1 files that git does not know are left out/),
  ]);
  expect((await farm.log('p/b#2', 'show')).toString()).toBe('one\ntwo\nthree\n');
  const outside = await inTree(['try', 'p/b'], farm.dir);
  expect([outside.status, outside.stderr]).toEqual([64, expect.stringContaining('working tree')]);
});

test('^C ends both, and the build goes on', async () => {
  const waits = async (): Promise<number> =>
    (JSON.parse((await say(['status', '--json'])).text) as { waiting: RequestView[] }).waiting.length;
  const before = await waits();
  const child = spawn(process.execPath, [PROGRAM, 'force', 'p/idle', '--wait'], {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const ended = once(child, 'exit');
  // As a terminal does: to the whole group.
  process.kill(-child.pid!, 'SIGINT');
  expect(await ended).toEqual([130, null]);
  await until('nobody of them is left', () => {
    try {
      return !process.kill(-child.pid!, 0);
    } catch {
      return true;
    }
  });
  expect(await waits()).toBe(before + 1);
});

const SHELLS: Readonly<Record<string, string>> = {
  bash: 'COMP_LINE=$2; COMP_POINT=${#2}; . "$1"; _trunkline; printf "%s\\n" "${COMPREPLY[@]}"',
  // What the shell's own function is given is printed; the rest is as in a line that is typed.
  zsh: 'compdef() { }; compadd() { print -l -- $found }; _files() { }; . $1; words=("${(@s: :)2}"); CURRENT=$#words; _trunkline',
  fish: '. $argv[1]; complete -C $argv[2]',
};

test.for(Object.entries(SHELLS))('%s completes commands, verbs, options and names', async ([shell, code], { skip }) => {
  const isThere = (await run('sh', ['-c', `command -v ${shell}`])).status === 0;
  // At the gate each of them has to be there.
  skip(!isThere && !process.env['CI'], `there is no ${shell} on this machine`);
  const script = join(farm.dir, `completion.${shell}`);
  await writeFile(script, (await say(['completion', shell])).text);
  await writeFile(join(farm.dir, 'bin', 'trunkline'), `#!/bin/sh\nexec ${process.execPath} ${PROGRAM} "$@"\n`, {
    mode: 0o755,
  });
  const type = async (line: string): Promise<readonly string[]> => {
    const args = shell === 'fish' ? [script, line] : [shell, script, line];
    const ran = await run(shell, [shell === 'zsh' ? '-fc' : '-c', code, ...args], { env: { ...env, HOME: farm.dir } });
    return ran.text.split('\n').filter((word) => word !== '');
  };
  expect(await type('trunkline wor')).toEqual(['worker', 'workers']);
  expect(await type('trunkline worker rev')).toEqual(['revoke']);
  expect(await type('trunkline force p/b --wa')).toEqual(['--wait']);
  expect(await type('trunkline force p/')).toEqual(['p/b', 'p/idle']);
  expect(await type('trunkline worker revoke w')).toEqual(['w']);
  expect(await type('trunkline build p/b#')).toContain('p/b#1');
});

test('a name that a shell would act on is offered to none', async () => {
  const bin = join(farm.dir, 'hostile');
  await mkdir(bin);
  const names = ['$(touch x)', 'w;id', '`id`', 'w w', '\x1b[2J', '-oops', '../w', "w'", 'wise'];
  await writeFile(join(bin, 'names'), `${names.join('\n')}\n`);
  await writeFile(join(bin, 'ssh'), `#!/bin/sh\ncat ${join(bin, 'names')}\n`, { mode: 0o755 });
  const ran = await say(['__complete', '--', 'worker', 'revoke', ''], {
    env: { PATH: `${bin}:${process.env['PATH']}` },
  });
  expect([ran.status, ran.text]).toEqual([0, 'wise\n']);
});

test('what keeps it from asking is told in one line', async () => {
  const without = await say(['status'], { env: { PATH: '/nonexistent' } });
  expect([without.status, without.stderr]).toEqual([127, expect.stringMatching(/^trunkline: there is no ssh .*\n$/)]);
  const wrong = await say(['status'], { env: { TRUNKLINE_MASTER: '-oProxyCommand=touch /tmp/x' } });
  expect([wrong.status, wrong.stderr]).toEqual([64, expect.stringMatching(/^trunkline: .* names no master.*\n$/)]);
});
