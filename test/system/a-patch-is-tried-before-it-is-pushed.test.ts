import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { appendFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import type { RequestView } from '../../src/master/views/request.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { run, runOk } from '../support/run.ts';
import type { Ran } from '../support/run.ts';
import { until } from '../support/until.ts';

const DEVELOPER = 'dora';
let farm: Farm;
let master: Daemon;
let worker: Daemon;
let tree: string;
let head: string;

beforeAll(async () => {
  farm = await Farm.create();
  const repository = await farm.repository('hello', { text: 'one\ntwo\n', '.gitignore': '*.o\n' });
  await farm.config(`
import { builder, checkout, defineMaster, force, git, project, sh, tryBuilds, worker } from 'trunkline';
const show = 'cat text; if [ -e big ]; then sha256sum < big; fi; touch main.o';
export default defineMaster({
  title: 'Tried',
  workers: [worker('w', { maxBuilds: 2 })],
  projects: [
    project('hello', {
      source: git(${JSON.stringify(repository)}),
      builders: [
        builder('clean', { workers: ['w'], steps: [checkout(), sh('show', show)] }),
        builder('quick', { workers: ['w'], steps: [checkout({ mode: 'incremental' }), sh('show', show), sh('check', '! grep -q bad text')] }),
        builder('bare', { workers: ['w'], steps: [sh('show', 'true')] }),
      ],
      schedulers: [force(), tryBuilds()],
    }),
    project('closed', {
      source: git(${JSON.stringify(repository)}),
      builders: [builder('clean', { workers: ['w'], steps: [checkout()] })],
    }),
  ],
});
`);
  await farm.admit('developers', DEVELOPER);
  await farm.admit('readers', 'rita');
  master = await farm.startMaster();
  await farm.addWorker('w');
  worker = await farm.startWorker('w');
  tree = join(farm.dir, 'tree');
  await runOk('git', ['clone', '-q', repository, tree]);
  head = await runOk('git', ['-C', tree, 'rev-parse', 'HEAD']);
});
afterAll(() => farm.close());
beforeEach(async () => {
  await runOk('git', ['-C', tree, 'reset', '-q', '--hard']);
  await runOk('git', ['-C', tree, 'clean', '-fdxq']);
});

/** What a developer types: the difference of the work tree, into ssh. */
async function tryIt(...words: readonly string[]): Promise<Ran> {
  await runOk('git', ['-C', tree, 'add', '-AN']);
  const { stdout } = await run('git', ['-C', tree, 'diff', 'HEAD', '--binary']);
  return await farm.ssh(['try', ...words], { input: stdout, user: DEVELOPER });
}

const log = async (build: string | number, step: string): Promise<string> => (await farm.log(build, step)).toString();

async function patches(): Promise<readonly string[]> {
  return await readdir(join(farm.masterDir, 'state', 'patches'));
}

test('a patch is built by several builders at once, and by no build after them', async () => {
  await appendFile(join(tree, 'text'), 'three\n');
  const big = randomBytes(100_000);
  await writeFile(join(tree, 'big'), big);
  const ran = await tryIt('hello/clean,quick', '--revision', head, '--reason', "'with three'", '--wait', '--json');
  expect(ran.stderr).toBe('');
  const builds = JSON.parse(ran.text) as readonly BuildView[];
  expect(builds.map(({ builder, result }) => [builder, result])).toEqual([
    ['clean', 'success'],
    ['quick', 'success'],
  ]);
  for (const build of builds) {
    expect(build).toMatchObject({ owner: DEVELOPER, reason: 'with three', revision: head });
    expect(build.patch?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await log(build.id, 'show')).toMatch(/^one\ntwo\nthree\n[0-9a-f]{64} {2}-\n$/);
    const told = await farm.ssh(['log', '--log', 'patch', String(build.id), 'checkout']);
    expect(told.text).toMatch(/text \| +1 \+[^]*2 files changed, 1 insertion/);
  }
  expect((await farm.ssh(['builds', 'hello/clean'])).text).toContain(`${head.slice(0, 12)} + patch`);
  for (const builder of ['clean', 'quick']) {
    const plain = await farm.build(`hello/${builder}`);
    expect(plain).toMatchObject({ result: 'success', patch: null });
    expect(await log(plain.id, 'show')).toBe('one\ntwo\n');
  }
});

test('whoever waits sees each builder by its name, and is told the worst result', async () => {
  await appendFile(join(tree, 'text'), 'bad\n');
  const ran = await tryIt('hello/clean,hello/quick', '--revision', head, '--wait');
  expect(ran.status).toBe(1);
  expect(ran.text).toMatch(/^ {2}hello\/clean {2}success +show/m);
  expect(ran.text).toMatch(/^ {2}hello\/quick {2}failure +check/m);
  expect(ran.text).toMatch(/hello\/clean#\d+: success/);
  expect(ran.text).toMatch(/hello\/quick#\d+: failure/);
});

test('a patch that does not apply fails, in the words of git', async () => {
  const other = 'diff --git a/text b/text\n--- a/text\n+++ b/text\n@@ -1 +1 @@\n-something else\n+new\n';
  const words = ['try', 'hello/clean', '--revision', head, '--wait', '--json'];
  const ran = await farm.ssh(words, { input: other, user: DEVELOPER });
  expect(ran.status).toBe(1);
  const [build] = JSON.parse(ran.text) as readonly BuildView[];
  expect(build?.steps[0]?.summary).toContain('the patch does not apply');
  const told = await farm.ssh(['log', '--log', 'patch', String(build?.id), 'checkout']);
  expect(told.text).toContain('error: patch failed: text:1\nerror: text: patch does not apply');
});

test('what cannot be tried is refused before a patch is taken', async () => {
  const before = (await patches()).length;
  const refused = async (words: readonly string[], input: string | Uint8Array, user = DEVELOPER): Promise<string> => {
    const { status, stderr } = await farm.ssh(['try', ...words], { input, user });
    return `${status} ${stderr}`;
  };
  const revision = ['--revision', head];
  expect(await refused(['hello/clean', ...revision], '')).toMatch(/^64 .*no patch came.*git diff HEAD --binary/);
  expect(await refused(['hello/clean', ...revision], new Uint8Array(33 * 1024 ** 2))).toMatch(/^64 .*than 32 MiB/);
  expect(await refused(['hello/clean'], 'x')).toMatch(/^64 .*--revision/);
  expect(await refused(['hello/nope', ...revision], 'x')).toMatch(/^66 .*it has: clean, quick, bare/);
  expect(await refused(['hello/clean,clean', ...revision], 'x')).toMatch(/^64 .*named twice/);
  expect(await refused(['hello/clean,closed/clean', ...revision], 'x')).toMatch(/^64 .*of one project/);
  expect(await refused(['hello/bare', ...revision], 'x')).toMatch(/^69 .*hello\/bare has no checkout/);
  expect(await refused(['closed/clean', ...revision], 'x')).toMatch(/^69 .*add tryBuilds\(\)/);
  expect(await refused(['hello/clean', ...revision], 'x', 'rita')).toMatch(/^77 /);
  expect(await patches()).toHaveLength(before);
  expect(JSON.parse((await farm.ssh(['status', '--json'])).text)).toMatchObject({ waiting: [], running: [] });
});

test('a master that is killed after it took a patch builds it; one that is killed before has no trace of it', async () => {
  // Neither runs before the master is dead: the worker is away.
  await worker.end();
  await farm.workerIs('w', 'disconnected');
  await writeFile(join(tree, 'big'), randomBytes(6_000_000));
  const ran = await tryIt('hello/clean,quick', '--revision', head, '--json');
  const requests = JSON.parse(ran.text) as readonly RequestView[];
  const half = spawn('ssh', [...farm.sshArgs(DEVELOPER), 'try', 'hello/clean', '--revision', head], { stdio: 'pipe' });
  half.stdin.write('diff --git');
  await until('half of a patch is there', async () => (await patches()).some((name) => name.endsWith('.part')));
  const gone = once(half, 'exit');
  await master.end('SIGKILL');
  await gone;
  master = await farm.startMaster();
  expect((await patches()).filter((name) => name.endsWith('.part'))).toEqual([]);
  await farm.startWorker('w');
  // And once more while the patch is on its way, or on top.
  await until('they run', async () => (await farm.list()).filter(({ state }) => state === 'running').length === 2);
  await master.end('SIGKILL');
  master = await farm.startMaster();
  const sums = await Promise.all(
    requests.map(async ({ id }) => {
      const build = await until('its build is there', async () =>
        (await farm.list()).find((one) => one.request === id),
      );
      const { result, steps } = await farm.finished(build.id);
      expect(result, JSON.stringify(steps)).toBe('success');
      return [result, (await log(build.id, 'show')).split('\n').at(-2)];
    }),
  );
  const sum = (await runOk('sha256sum', [join(tree, 'big')])).split(' ')[0];
  expect(sums).toEqual([
    ['success', `${sum}  -`],
    ['success', `${sum}  -`],
  ]);
});
