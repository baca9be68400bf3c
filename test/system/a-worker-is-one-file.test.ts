import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { Farm, PROGRAM, startDaemon } from '../support/farm.ts';
import { keepersOf } from '../support/keepers-of.ts';
import { run, runOk } from '../support/run.ts';
import { until } from '../support/until.ts';

const CONFIG = `
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'One file',
  workers: [worker('w')],
  projects: [
    project('p', {
      builders: [
        builder('long', { workers: ['w'], steps: [sh('wait', 'echo begun; until [ -e go ]; do sleep 0.1; done; seq 100000')] }),
      ],
      schedulers: [force()],
    }),
  ],
});
`;

test('a worker of one file, with nothing but Node, is a whole one: its build outlives its daemon', async () => {
  const farm = await Farm.create();
  onTestFinished(() => farm.close());
  // Far from any node_modules, whose native parts it would find.
  const bare = await mkdtemp(join(tmpdir(), 'tl-file-'));
  onTestFinished(() => rm(bare, { recursive: true, force: true, maxRetries: 10 }));
  const program = join(bare, 'worker.mjs');
  await copyFile(join(dirname(dirname(PROGRAM)), 'dist/worker.mjs'), program);
  await farm.config(CONFIG);
  await farm.startMaster();
  const dir = farm.workerDir('w');
  await mkdir(dir, { mode: 0o700 });
  const made = await runOk(process.execPath, [
    program,
    'init',
    dir,
    '--name',
    'w',
    '--master',
    `127.0.0.1:${farm.port}`,
    '--host-key',
    await farm.hostKey(),
  ]);
  expect(made).toContain(`node ${program} start ${dir} --detach`);
  expect((await farm.ssh(['worker', 'add', 'w'], { input: await farm.workerKey('w') })).status).toBe(0);

  const env = { NODE_PATH: '' };
  const daemon = await startDaemon(['start', dir], env, { program });
  onTestFinished(() => daemon.end('SIGKILL'));
  const view = await farm.workerIs('w', 'connected');
  const second = await run(process.execPath, [program, 'start', dir]);
  expect(second.stderr).toContain(`already: stop it first with "node ${program} stop ${dir}"`);
  expect(view.version).toBe((await runOk(process.execPath, [program, '--version'])).trim());
  expect((await farm.ssh(['force', 'p/long'])).status).toBe(0);
  await until('the command runs', async () => (await farm.log(1, 'wait').catch(() => '')).includes('begun'));
  const [keeper] = await keepersOf(join(dir, 'spool'));
  expect(keeper).toBeDefined();

  await daemon.end('SIGKILL');
  const next = await startDaemon(['start', dir], env, { program });
  onTestFinished(() => next.end('SIGKILL'));
  const [folder = ''] = await readdir(join(dir, 'work/p'));
  await runOk('touch', [join(dir, 'work/p', folder, 'go')]);
  expect((await farm.finished(1)).result).toBe('success');
  expect((await farm.log(1, 'wait')).toString()).toMatch(/^begun\n1\n2\n[^]*\n100000\n$/);
});
