import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive } from '../../src/worker/keeper/process-table.ts';
import type { ProcessIdentity } from '../../src/worker/keeper/process-table.ts';
import { Farm } from '../support/farm.ts';
import { copyProgram, NEXT_KEEPER, NEXT_PROTOCOL, NEXT_SCHEMA, NEXT_SH } from '../support/program-copy.ts';
import type { Patch, ProgramCopy } from '../support/program-copy.ts';
import { run } from '../support/run.ts';
import { until } from '../support/until.ts';

let farm: Farm;

/** Prints until there is a file `go-ROUND`, and leaves what it printed in a file, too. */
const PRINT = (dir: string): string =>
  `n=0; while [ ! -e ${dir}/go-$ROUND ]; do n=$((n + 1)); echo "line $n of a log" | tee -a ${dir}/truth-$ROUND; sleep 0.02; done`;

beforeEach(async () => {
  farm = await Farm.create();
  await mkdir(join(farm.dir, 'starts'));
  await mkdir(join(farm.dir, 'programs'));
  const start = `mktemp -q ${farm.dir}/starts/$ROUND.$STEP.XXXXXX > /dev/null`;
  const steps = (round: string, print: string): string => `steps: [
    sh('first', '${start}; ${print}', { env: { STEP: 'first' } }),
    sh('second', '${start}; echo 2', { env: { STEP: 'second' } }),
  ], env: { ROUND: '${round}' }, workers: ['w']`;
  await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Upgrade',
  workers: [worker('w', { maxBuilds: 2 })],
  projects: [project('p', {
    builders: [
      builder('up', { ${steps('up', PRINT(farm.dir))} }),
      builder('down', { ${steps('down', PRINT(farm.dir))} }),
      builder('short', { ${steps('short', 'echo 1')} }),
    ],
    schedulers: [force()],
  })],
});
`);
});
afterEach(() => farm.close());

function install(version: string, ...patches: readonly Patch[]): Promise<ProgramCopy> {
  return copyProgram(join(farm.dir, 'programs', version), version, patches);
}

/** Starts a build and waits until the master has some of its log. */
async function begin(round: 'up' | 'down'): Promise<number> {
  expect((await farm.ssh(['force', `p/${round}`])).status).toBe(0);
  const build = await until('the build runs', async () => (await farm.list()).find(({ builder }) => builder === round));
  await moreIsStored(build.id);
  return build.id;
}

async function moreIsStored(build: number): Promise<void> {
  const stored = async (): Promise<number> => (await farm.view(build)).steps[0]?.logs[0]?.length ?? 0;
  const before = await stored();
  await until(`more than ${before} bytes are stored`, async () => (await stored()) > before);
}

/** Its log is what it wrote, and each of its commands was started once. */
async function endsWell(build: number, round: 'up' | 'down'): Promise<void> {
  await writeFile(join(farm.dir, `go-${round}`), '');
  const view = await farm.finished(build);
  expect(view, JSON.stringify(view)).toMatchObject({ result: 'success' });
  const truth = await readFile(join(farm.dir, `truth-${round}`));
  expect(sha256(await farm.log(build, 'first'))).toBe(sha256(truth));
  const starts = (await readdir(join(farm.dir, 'starts'))).filter((name) => name.startsWith(`${round}.`));
  expect(starts.map((name) => name.split('.')[1] ?? '').toSorted()).toEqual(['first', 'second']);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The keeper of the one command that runs. */
async function keeperOfRunning(): Promise<ProcessIdentity> {
  const spool = join(farm.workerDir('w'), 'spool');
  const [command = '', ...others] = (await readdir(spool, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
  expect(others).toEqual([]);
  return (JSON.parse(await readFile(join(spool, command, 'claim.json'), 'utf8')) as { keeper: ProcessIdentity }).keeper;
}

async function keeperVersions(): Promise<readonly string[]> {
  const names = await readdir(join(farm.workerDir('w'), 'spool'));
  return names.flatMap((name) => /^keeper-(\d+)-/.exec(name)?.[1] ?? []);
}

test('of the worker, and back, and the keeper of the command stays until that has ended', async () => {
  const old = await install('0.1.1');
  const next = await install('0.2.0', NEXT_KEEPER, NEXT_PROTOCOL);
  await farm.startMaster();
  await farm.addWorker('w');
  const roundTrip = [
    ['up', old, next],
    ['down', next, await install('0.1.2')],
  ] as const;
  let worker = await farm.startWorker('w', {}, { program: old.program });
  for (const [round, from, to] of roundTrip) {
    const build = await begin(round);
    const keeper = await keeperOfRunning();
    const stopped = await run(process.execPath, [from.program, 'worker', 'stop', farm.workerDir('w')]);
    expect(stopped.stderr).toBe('');
    await worker.end();
    // The keeper lives on without any file of its program.
    await from.remove();
    worker = await farm.startWorker('w', {}, { program: to.program });
    expect((await farm.workerIs('w', 'connected')).version).toBe(to.version);
    await moreIsStored(build);
    // A new command is the new keeper's, and the old one does not mind.
    expect((await farm.build('p/short')).result).toBe('success');
    expect(new Set(await keeperVersions()).size).toBe(2);
    expect(isAlive(keeper)).toBe(true);
    await endsWell(build, round);
    await until('the old keeper has left', () => !isAlive(keeper));
  }
});

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'of the master, ended by %s, and the build keeps its own steps',
  async (signal) => {
    const old = await install('0.1.1');
    const next = await install('0.2.0', NEXT_SCHEMA, NEXT_SH, NEXT_PROTOCOL);
    const master = await farm.startMaster({}, { program: old.program });
    await farm.addWorker('w');
    await farm.startWorker('w', {}, { program: old.program });
    const build = await begin('up');
    await master.end(signal);
    const upgraded = await farm.startMaster({}, { program: next.program });
    await moreIsStored(build);
    // New builds have the new program's steps; the one that runs ends with those it began with, of which one begins only now.
    expect(await farm.build('p/short')).toMatchObject({ result: 'warnings' });
    await endsWell(build, 'up');
    await upgraded.end();
    const back = await run(process.execPath, [
      old.program,
      'master',
      'start',
      farm.masterDir,
      '--listen',
      '127.0.0.1:0',
    ]);
    expect(back.status).toBe(1);
    expect(back.stderr.trim()).toMatch(
      /^trunkline: the database .* was made by a newer Trunkline .*: install that version$/,
    );
  },
);

test('in place: files of running daemons are taken away, and the build goes on, is watched and ends', async () => {
  const old = await install('0.1.1');
  // Packages are found below the folder and not where its link leads, so that nothing of them can be loaded later, either.
  const env = { NODE_PRESERVE_SYMLINKS: '1', NODE_PRESERVE_SYMLINKS_MAIN: '1' };
  const master = await farm.startMaster(env, { program: old.program });
  await farm.addWorker('w');
  const worker = await farm.startWorker('w', env, { program: old.program });
  const build = await begin('up');
  await old.remove();
  await moreIsStored(build);
  expect((await farm.ssh(['status'])).status).toBe(0);
  await endsWell(build, 'up');
  await Promise.all([master.end(), worker.end()]);
  expect(master.stderr() + worker.stderr()).not.toMatch(/Cannot find|ERR_MODULE_NOT_FOUND|ENOENT/);
});

test('of one side only, and both speak the version that they have in common', async () => {
  const next = await install('0.2.0', NEXT_PROTOCOL);
  for (const [master, worker] of [
    [undefined, next],
    [next, undefined],
  ]) {
    const serving = await farm.startMaster({}, master && { program: master.program });
    if (master === undefined) await farm.addWorker('w');
    const working = await farm.startWorker('w', {}, worker && { program: worker.program });
    await farm.workerIs('w', 'connected');
    expect((await farm.build('p/short')).result).toBe('success');
    await working.end();
    await serving.end();
  }
});

test('to a version that the other side does not speak at all is told on the worker', async () => {
  const far = await install('0.3.0', { ...NEXT_PROTOCOL, make: 'PROTOCOLS = [2, 3]' });
  await farm.startMaster();
  await farm.addWorker('w');
  const worker = await farm.startWorker('w', {}, { program: far.program });
  await until('it is told', () =>
    worker.stderr().includes('no common version of the protocol: you speak 2, 3, I speak 1; upgrade the older side'),
  );
});
