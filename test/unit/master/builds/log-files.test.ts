import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BuildView } from '../../../../src/master/views/build.ts';
import { until } from '../../../support/until.ts';
import { ADMIN, TryFarm } from '../try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;

/** A shell text that waits for a file. */
const gate = (name: string): string => `touch $FARM/at-${name}; until [ -e $FARM/go-${name} ]; do sleep 0.02; done`;

const builder = (name: string, steps: string): string =>
  `builder('${name}', { workers: ['w'], env: { FARM: '${farm.dir}' }, steps: [${steps}] }),`;

const BIG = 'seq 700000';

beforeAll(async () => {
  farm = await TryFarm.create('workers: [], projects: []');
  await farm.config(`
workers: [worker('w', { maxBuilds: 12 })],
projects: [project('p', { schedulers: [force()], builders: [
  ${builder(
    'live',
    `sh('make', 'echo out; mkdir -p sub; echo one > sub/x.log; ${gate('live')}; printf "two\\nend" >> sub/x.log', {
      logFiles: { 'x.log': 'sub/x.log' } }), sh('rest', 'ls -A')`,
  )}
  ${builder(
    'kinds',
    `sh('before', 'echo old > old; echo old > grown; echo old > again; touch -d "1 hour ago" old grown again; ln -s /etc/passwd link; mkdir in'),
    sh('make', 'ln -s /etc out; ${BIG} > big; echo new >> grown; echo new > again; exit 3', { haltOnFailure: false, cwd: '.', logFiles: {
      big: 'big', old: 'old', grown: { file: 'grown', follow: true }, again: 'again', link: 'link', out: 'out/passwd', never: 'in/never',
    } }), sh('rest', 'ls -A', { alwaysRun: true })`,
  )}
  ${builder('limited', `sh('make', '${BIG} > big', { logFiles: { big: { file: 'big', logLimit: '64KB' } } })`)}
  ${builder(
    'changing',
    `sh('make', 'echo first > f; ${gate('cut')}; : > f; ${gate('filled')}; echo b > f; ${gate('moved')}; mv f g; echo third, and longer > f', { logFiles: { f: 'f' } })`,
  )}
  ${builder(
    'restarted',
    `sh('make', 'echo 1 > f; ${gate('one')}; echo 2 >> f; ${gate('two')}; echo 3 >> f', { cwd: (ctx) => '.', logFiles: (ctx) => ({ f: 'f' }) })`,
  )}
  ${builder(
    'stopped',
    `sh('make', 'echo begun > f; echo $$ > $FARM/stopped.pid; ${gate('stopped')}', { logFiles: { f: 'f' } })`,
  )}
] })]`);
  await farm.startMaster();
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function there(name: string): Promise<void> {
  await until(`${name} is there`, async () => (await readdir(farm.dir)).includes(name));
}

async function letGo(name: string): Promise<void> {
  await writeFile(await farm.path(`go-${name}`), '');
}

async function running(name: string): Promise<BuildView> {
  return await until(`${name} runs`, async () =>
    (await farm.operator.status(ADMIN)).running.find((build) => build.builder === name),
  );
}

async function logHas(build: BuildView, log: string, text: string): Promise<void> {
  await until(`log ${log} has ${JSON.stringify(text)}`, async () => {
    const { steps } = await farm.operator.build(ADMIN, String(build.id));
    if (!steps[0]?.logs.some(({ name }) => name === log)) return false;
    return (await farm.log(build.id, 'make', log)).includes(text);
  });
}

test('a file that a command writes is a log while it grows, to its end, and nothing is left of it', async () => {
  await farm.force('live');
  const build = await running('live');
  await logHas(build, 'x.log', 'one\n');
  await letGo('live');
  const ended = await farm.finished(String(build.id));
  expect(ended).toMatchObject({ result: 'success' });
  expect(ended.steps[0]?.logs.map(({ name, isComplete }) => [name, isComplete])).toEqual(
    expect.arrayContaining([
      ['stdio', true],
      ['x.log', true],
    ]),
  );
  expect(await farm.log(build.id, 'make', 'x.log')).toBe('one\ntwo\nend');
  expect(await farm.log(build.id, 'make', 'stdio')).toBe('out\n');
  expect(await farm.log(build.id, 'rest')).toBe('sub\n');
});

test('each file is what it is: what was written at once, what is old, never there, or outside', async () => {
  const build = await farm.build('kinds');
  expect(build).toMatchObject({ result: 'failure', steps: [{}, { summary: 'exit 3' }, { result: 'success' }] });
  const log = (name: string): Promise<string> => farm.log(build.id, 'make', name);
  const big = Array.from({ length: 700_000 }, (_, n) => `${n + 1}\n`).join('');
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  expect(sha256(await log('big'))).toBe(sha256(big));
  expect(await log('old')).toBe('[trunkline: old was not changed by the command]\n');
  expect(await log('grown')).toBe('new\n');
  expect(await log('again')).toBe('new\n');
  expect(await log('never')).toBe('[trunkline: in/never was not there]\n');
  for (const name of ['link', 'out'])
    expect(await log(name)).toContain('leaves the folder of its command: it is not read');
  expect(await farm.log(build.id, 'rest')).not.toContain('trunkline');
});

test('the log of a file has a limit of its own', async () => {
  const build = await farm.build('limited');
  const log = await farm.log(build.id, 'make', 'big');
  expect(log.length).toBeLessThan(70_000);
  expect(log).toMatch(/^1\n2\n/);
  expect(log).toMatch(/\n\[trunkline: .*left out here.*\]\n[\s\S]*\n700000\n$/);
});

test('of a file that was cut or replaced the rest is read from its begin, which the log says', async () => {
  await farm.force('changing');
  const build = await running('changing');
  await logHas(build, 'f', 'first\n');
  await there('at-cut');
  await letGo('cut');
  await there('at-filled');
  await letGo('filled');
  await logHas(build, 'f', 'b\n');
  await there('at-moved');
  await letGo('moved');
  await farm.finished(String(build.id));
  const said = '[trunkline: f was replaced or cut: it goes on from its begin]\n';
  expect(await farm.log(build.id, 'make', 'f')).toBe(`first\n${said}b\n${said}third, and longer\n`);
});

test('a restart of the master, and one of the daemon, lose nothing of it', async () => {
  await farm.force('restarted');
  const build = await running('restarted');
  await logHas(build, 'f', '1\n');
  await farm.stopMaster();
  await letGo('one');
  await there('at-two');
  await farm.startMaster();
  await logHas(build, 'f', '2\n');
  await farm.stopWorker('w');
  await letGo('two');
  await farm.openWorker('w');
  const ended = await farm.finished(String(build.id));
  expect(ended, JSON.stringify(ended)).toMatchObject({ result: 'success' });
  expect(await farm.log(build.id, 'make', 'f')).toBe('1\n2\n3\n');
});

test('a stop ends who reads the file with the command', async () => {
  await farm.force('stopped');
  const build = await running('stopped');
  await logHas(build, 'f', 'begun\n');
  await there('at-stopped');
  await farm.operator.stop(ADMIN, String(build.id), 'enough');
  const ended = await farm.finished(String(build.id));
  expect(ended).toMatchObject({ result: 'cancelled' });
  expect(await farm.log(build.id, 'make', 'f')).toBe('begun\n');
  const { stdout } = spawnSync('pgrep', ['-f', `follow f .trunkline-${build.id}`], { encoding: 'utf8' });
  expect(stdout).toBe('');
});
