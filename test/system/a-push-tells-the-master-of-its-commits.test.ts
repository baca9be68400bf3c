import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import type { ChangeView } from '../../src/master/views/change.ts';
import { Farm, PROGRAM } from '../support/farm.ts';
import { run, runOk } from '../support/run.ts';
import { until } from '../support/until.ts';

const HOOK = resolve(PROGRAM, '../../docs/examples/post-receive');
const AUTHOR = 'Zoë "the \\ one" \'quoted\' <z@example.org>';
const MESSAGE = 'Fix "it" \\n $(touch pwned) `id`\n\n\u0001\u001b[31mred\ttab 中 \u202e\n\n\nend';
/** Names that a shell, a terminal, git or JSON could take for something else. */
const FILES = ['a b', 'new\nline', '"quoted" \\ \'twice\'', '-rf', '$(touch pwned)', 'tab\tü', '\u001b[31m', '中'];

let farm: Farm;
let bare: string;
let tree: string;
let env: Record<string, string>;

beforeAll(async () => {
  farm = await Farm.create();
  bare = join(farm.dir, 'kate.git');
  tree = join(farm.dir, 'tree');
  await runOk('git', ['init', '-q', '--bare', '-b', 'main', bare]);
  await runOk('git', ['init', '-q', '-b', 'main', tree]);
  await farm.config(`
import { builder, checkout, defineMaster, git, onChange, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Hooked',
  workers: [worker('w')],
  projects: [
    project('kate', {
      source: git(${JSON.stringify(bare)}),
      builders: [builder('debian', { workers: ['w'], steps: [checkout(), sh('count', 'git ls-files -z | tr -cd "\\\\000" | wc -c')] })],
      schedulers: [onChange({ branch: 'main' })],
    }),
  ],
});
`);
  await farm.admit('developers', 'hook');
  await farm.startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
  await copyFile(HOOK, join(bare, 'hooks/post-receive'));
  await chmod(join(bare, 'hooks/post-receive'), 0o755);
  await setting('project', 'kate');
  await setting('master', `ssh://hook@127.0.0.1:${farm.port}`);
  await setting('seconds', '60');
  env = await identity();
});
afterAll(() => farm.close());

/** Stock ssh with a settings file of its own, as it would be in the home of the git server's user. */
async function identity(): Promise<Record<string, string>> {
  const config = join(farm.dir, 'ssh_config');
  const options = [
    `IdentityFile ${farm.keyFile('hook')}`,
    'IdentitiesOnly yes',
    `UserKnownHostsFile ${join(farm.dir, 'known_hosts')}`,
    'StrictHostKeyChecking accept-new',
    'LogLevel ERROR',
  ];
  await writeFile(config, options.map((line) => `${line}\n`).join(''));
  const bin = join(farm.dir, 'bin');
  await mkdir(bin);
  const ssh = await runOk('sh', ['-c', 'command -v ssh']);
  await writeFile(join(bin, 'ssh'), `#!/bin/sh\nexec ${ssh} -F ${config} "$@"\n`, { mode: 0o755 });
  const who = { GIT_AUTHOR_NAME: 'Anna', GIT_AUTHOR_EMAIL: 'a@example.org' };
  return {
    ...who,
    GIT_COMMITTER_NAME: 'Anna',
    GIT_COMMITTER_EMAIL: 'a@example.org',
    PATH: `${bin}:${process.env['PATH']}`,
  };
}

const setting = (name: string, value: string): Promise<string> =>
  runOk('git', ['-C', bare, 'config', `trunkline.${name}`, value]);
const git = (...args: string[]): Promise<string> => runOk('git', ['-C', tree, ...args], { env });

async function commit(message: string, files: readonly string[] = [], author?: string): Promise<string> {
  for (const file of files) await writeFile(join(tree, file), message);
  await git('add', '-A');
  await git(
    'commit',
    '-q',
    '--allow-empty',
    '--cleanup=verbatim',
    '-m',
    message,
    ...(author === undefined ? [] : ['--author', author]),
  );
  return await git('rev-parse', 'HEAD');
}

/** What the pusher was told by the hook; the push itself must succeed. */
async function push(...refs: readonly string[]): Promise<string> {
  const ran = await run('git', ['-C', tree, 'push', '-q', bare, ...refs], { env });
  expect(ran.status, ran.stderr).toBe(0);
  return ran.stderr.replaceAll(/^remote: (.*?) *$/gm, '$1');
}

async function changes(): Promise<readonly ChangeView[]> {
  return JSON.parse((await farm.ssh(['changes', 'kate', '--json'])).text) as readonly ChangeView[];
}

test('each commit of a push is built, and its change is what git says, whatever is in it', async () => {
  const first = await commit('First', ['one']);
  const second = await commit(MESSAGE, FILES, AUTHOR);
  const told = await push('main');
  expect(told).toMatch(/^trunkline: change 1, main [0-9a-f]{12}: request 1\ntrunkline: change 2, .*: request 2\n$/);
  const [newest, oldest] = await changes();
  expect(oldest).toMatchObject({ branch: 'main', revision: first, comments: 'First', files: ['one'], sentBy: 'hook' });
  expect(newest).toMatchObject({
    branch: 'main',
    revision: second,
    comments: MESSAGE,
    author: await git('log', '-1', '--format=%an <%ae>'),
  });
  expect([...(newest?.files ?? [])].sort()).toEqual([...FILES].sort());
  const builds = await until('both are built', async () => {
    const list = await farm.list();
    return list.length === 2 && list.every(({ state }) => state === 'finished') ? list : undefined;
  });
  const view = (build: BuildView): unknown => [build.result, build.revision, build.changes[0]?.id, build.owner];
  expect(builds.map(view)).toEqual([
    ['success', second, newest?.id, 'hook'],
    ['success', first, oldest?.id, 'hook'],
  ]);
  expect(builds[0]?.blame).toEqual([newest?.author]);
  expect((await farm.log(builds[0]?.id ?? 0, 'count')).toString().trim()).toBe(String(FILES.length + 1));
  // Nothing that a terminal acts on, in what people are shown.
  for (const words of [['changes'], ['build', String(builds[0]?.id)]]) {
    const { text } = await farm.ssh(words);
    expect(text).toContain('Fix "it"');
    // oxlint-disable-next-line no-control-regex -- control characters are what this is about
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  }
});

test('new, moved and deleted branches, tags, and more commits than are told of', async () => {
  const before = (await changes()).length;
  const tip = await git('rev-parse', 'HEAD');
  expect(await push('HEAD:refs/tags/v1', `HEAD:refs/heads/it's-"new"-$HOME`)).toMatch(
    /change 3, it's-"new"-\$HOME .*no scheduler/,
  );
  expect((await changes())[0]).toMatchObject({ branch: `it's-"new"-$HOME`, revision: tip });
  expect(await push(`:refs/heads/it's-"new"-$HOME`, ':refs/tags/v1')).toBe('');
  expect(await push(`HEAD:refs/heads/it's-"new"-$HOME`)).toMatch(/known already/);
  await git('commit', '-q', '--amend', '-m', 'Other words');
  const amended = await git('rev-parse', 'HEAD');
  expect(await push('+main')).toMatch(/request/);
  expect((await changes())[0]).toMatchObject({ revision: amended, comments: 'Other words' });
  expect(await push(`+${tip}:main`)).toMatch(/known already/);
  await setting('commits', '3');
  for (const n of [1, 2, 3, 4, 5]) await commit(`Number ${n}`);
  const words = await push('HEAD:many', 'HEAD~4:refs/heads/few');
  expect(words).toContain('many has more than 3 new commits: the master is told of the newest 3');
  const told = (await changes()).slice(0, -before - 2);
  const of = (branch: string): unknown => told.filter((one) => one.branch === branch).map(({ comments }) => comments);
  expect(of('many')).toEqual(['Number 5', 'Number 4', 'Number 3']);
  expect(of('few')).toEqual(['Number 1', 'Other words']);
  expect(told).toHaveLength(5);
});

test('a push waits for no master that is away or silent, and says so; in the background it waits for none at all', async () => {
  await setting('seconds', '1');
  const silent = createServer(() => undefined);
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
  const { port } = silent.address() as AddressInfo;
  await setting('master', `ssh://hook@127.0.0.1:${port}`);
  await commit('To nobody');
  const lost = /the master was not told of new commits \(1\); the push is done all the same/;
  // How long it took is no matter here: without its own end it would be for ever.
  expect(await push('HEAD:silent')).toMatch(lost);
  silent.close();
  expect(await push('HEAD:away')).toMatch(lost);
  await setting('project', 'nope');
  await setting('master', `ssh://hook@127.0.0.1:${farm.port}`);
  await setting('seconds', '60');
  expect(await push('HEAD:refused')).toMatch(/there is no project "nope"[^]*was not told of/);
  await setting('project', 'kate');
  await setting('background', 'true');
  expect(await push('HEAD:later')).toBe('');
  await until('the master was told', async () => (await changes())[0]?.branch === 'later');
  const log = join(bare, 'trunkline.log');
  await until('its answer is in the log', async () => /change \d+, later/.test(await readFile(log, 'utf8')));
  await runOk('git', ['-C', bare, 'config', '--unset', 'trunkline.master']);
  expect(await push('HEAD:unset')).toContain('set trunkline.master');
});

test('a change is told of by words, too, and what is typed wrong is refused with how it is said', async () => {
  const said = async (words: readonly string[], input = ''): Promise<string> => {
    const { status, text, stderr } = await farm.ssh(['sendchange', ...words], { user: 'hook', input });
    return `${status} ${text}${stderr}`;
  };
  const words = [
    'kate',
    '--branch',
    'byhand',
    '--revision',
    'r1',
    '--author',
    "'Zoë <z@x>'",
    '--file',
    "'a b'",
    '--file',
    'c',
  ];
  const more = ['-p', "'n=a b'", '--category', 'night', '--key', 'once', '--comments-stdin'];
  expect(await said([...words, ...more], 'One\n\ntwo\n')).toMatch(/^0 change \d+, byhand r1: no scheduler/);
  expect((await changes())[0]).toMatchObject({
    revision: 'r1',
    author: 'Zoë <z@x>',
    files: ['a b', 'c'],
    properties: { n: 'a b' },
    category: 'night',
    comments: 'One\n\ntwo',
  });
  expect(await said(['kate', '--branch', 'byhand', '--revision', 'r2', '--key', 'once'])).toMatch(/known already/);
  expect(await said(['kate', '--branch', 'byhand'])).toMatch(/^64 .*--branch and --revision are needed/);
  expect(await said(['kate', '--json-stdin', '--branch', 'x'], '{}')).toMatch(/^64 .*do not go together/);
  expect(await said(['kate', '--json-stdin'], '[{"branch": "x"}]')).toMatch(/^64 .*change 1: revision/);
  expect(await said(['kate', '--json-stdin'], `"${'x'.repeat(5_000_000)}"`)).toMatch(/^64 .*longer than 4194304 bytes/);
});
