import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import type { StatusView } from '../../src/master/views/master.ts';
import type { WorkerPage } from '../../src/master/views/worker.ts';
import { SENT_AWAY_STATUS } from '../../src/worker/heed-goodbye.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { until } from '../support/until.ts';

const KILLED_MASTER = resolve(import.meta.dirname, '../../dist/test/support/killed-master-main.js');
/** Of ssh itself: its connection was cut. */
const SSH_STATUS = 255;
/** How each worker is started, each time. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  single: ['--once'],
  idle: ['--idle-exit', '2s'],
  drained: [],
  retired: [],
  here: [],
  away: [],
  spare: [],
};
/** Those that leave after the build they have, each in its way. */
const LEAVING = ['single', 'drained', 'retired'] as const;
/** Those that are retired at once in the middle of a build: the second one's daemon is dead then. */
const ENDED = ['here', 'away'] as const;

let farm: Farm;
const masters: Daemon[] = [];
const workers = new Map<string, Daemon>();

beforeAll(async () => {
  farm = await Farm.create();
  await mkdir(join(farm.dir, 'starts'));
  // Notes its start in a file of its own, and prints until it may go, into a file beside its log, too.
  const print = `mktemp -q ${farm.dir}/starts/NAME.XXXXXX >/dev/null
    { n=0; while [ ! -e ${farm.dir}/go-NAME ]; do n=$((n+1)); echo line $n; sleep 0.1; done; } | tee ${farm.dir}/truth-NAME`;
  await farm.config(`
import { existsSync } from 'node:fs';
import { builder, defineMaster, force, project, sh, step, worker } from 'trunkline';
async function pause() {
  while (!existsSync('${farm.dir}/go-pausing')) await new Promise((resolve) => setTimeout(resolve, 50));
}
// Does not end when it is told to, but when it may: so the master that tells it is dead by then, and the next one sees the end.
const unmoved = 'trap "" TERM; ';
const held = (before, name, ...workers) => builder(name, { workers: [name, ...workers],
  steps: [sh('print', before + ${JSON.stringify(print)}.replaceAll('NAME', name)), sh('after', 'true')] });
export default defineMaster({
  title: 'Leaving',
  heartbeat: '1s',
  workers: ${JSON.stringify(Object.keys(WORDS))}.map((name) => worker(name, { maxBuilds: 2 })),
  projects: [project('p', { schedulers: [force()], builders: [
    ...${JSON.stringify(LEAVING)}.map((name) => held('', name)), ...${JSON.stringify(ENDED)}.map((name) => held(unmoved, name, 'spare')),
    builder('quick', { workers: ['idle'], steps: [sh('a', 'true')] }),
    builder('pausing', { workers: ['idle'], steps: [sh('a', 'true'), step('pause', pause), sh('b', 'true')] }),
  ] })],
});
`);
  await startMaster();
  await say('workers'); // By which ssh learns the host key.
  await Promise.all(Object.keys(WORDS).map((name) => farm.addWorker(name)));
});
afterAll(() => farm.close());

async function startMaster(): Promise<void> {
  masters.push(await farm.startMaster({ KILL_MASTER: join(farm.dir, 'kill') }, { program: KILLED_MASTER }));
}

async function killMaster(): Promise<void> {
  await masters.at(-1)?.end('SIGKILL');
}

async function killAtNextCommit(): Promise<void> {
  const order: KillOrder = { id: masters.length, n: 1, phase: 'after' };
  await writeFile(join(farm.dir, 'kill'), JSON.stringify(order));
}

async function isKilled(): Promise<void> {
  await until('the master is killed', () => masters.at(-1)?.process.signalCode === 'SIGKILL');
}

async function start(name: string): Promise<void> {
  workers.set(name, await farm.startWorker(name, {}, { words: WORDS[name] ?? [] }));
}

async function say(...words: readonly string[]): Promise<void> {
  const { status, stderr } = await farm.ssh(words);
  expect(status, stderr).toBe(0);
}

const force = (builder: string): Promise<void> => say('force', `p/${builder}`);

async function buildsOf(builder: string): Promise<readonly BuildView[]> {
  return (await farm.list()).filter((build) => build.builder === builder);
}

/** Begins a build on each, and waits until some of its log is stored. */
async function begin(...names: readonly string[]): Promise<void> {
  await Promise.all(names.map(force));
  await Promise.all(names.map(start));
  await until('all print', async () => {
    const printing = (await farm.list()).filter(({ steps }) => (steps[0]?.logs[0]?.length ?? 0) > 0);
    return printing.length === names.length;
  });
}

const go = (name: string): Promise<void> => writeFile(join(farm.dir, `go-${name}`), '');

async function page(name: string): Promise<WorkerPage> {
  const { text } = await farm.ssh(['worker', 'show', name, '--json']);
  return JSON.parse(text) as WorkerPage;
}

const hold = async (name: string): Promise<string | undefined> => (await page(name)).hold?.kind;

async function exitStatus(name: string): Promise<number | null | undefined> {
  const child = workers.get(name)?.process;
  await until(`the daemon of ${name} has ended`, () => child?.exitCode !== null || child.signalCode !== null);
  return child?.exitCode;
}

/** One build ever, begun once, whose log is what its command wrote. */
async function expectOneGoodBuild(builder: string): Promise<void> {
  const [build, ...more] = await buildsOf(builder);
  expect(more).toEqual([]);
  const { id, result, summary } = await farm.finished(build!.id);
  expect(result, `${summary}; the worker says: ${workers.get(builder)?.stderr()}`).toBe('success');
  const starts = (await readdir(join(farm.dir, 'starts'))).filter((name) => name.startsWith(`${builder}.`));
  expect(starts).toHaveLength(1);
  expect((await farm.log(id, 'print')).toString()).toBe(await readFile(join(farm.dir, `truth-${builder}`), 'utf8'));
}

/** The build was ended by the retirement, and done again elsewhere. */
async function expectRetried(builder: string): Promise<void> {
  const [again, first] = await until(`${builder} is retried`, async () => {
    const builds = await buildsOf(builder);
    return builds.length === 2 && builds;
  });
  expect(first).toMatchObject({ worker: builder, result: 'retry', summary: `worker ${builder} was retired` });
  expect(await farm.finished(again!.id)).toMatchObject({ worker: 'spare', result: 'success' });
}

/** The daemon was told and has ended, its key opens nothing, was withdrawn once, and its name may be given anew. */
async function expectRetired(name: string): Promise<void> {
  expect(await exitStatus(name), workers.get(name)?.stderr()).toBe(SENT_AWAY_STATUS);
  expect(workers.get(name)?.stderr()).toMatch(/\(retired\): retired by admin; .*worker add/);
  await until(`${name} is retired`, async () => (await hold(name)) === 'retired');
  const said = new RegExp(`a worker is retired .*"${name}"`, 'g');
  const told = (): readonly string[] => masters.flatMap((one) => one.stderr().match(said) ?? []);
  // The line comes a moment after the row.
  await until(`it is said that ${name} is retired`, () => told().length > 0);
  expect(told()).toHaveLength(1);
  const added = await farm.ssh(['worker', 'add', name], { input: await farm.workerKey(name) });
  expect(added.status, added.stderr).toBe(0);
}

test('kill -9 of the master, then of the daemons, in the middle of builds after which workers leave', async () => {
  await begin(...LEAVING, ...ENDED);
  await force('single'); // For another one of that name, if ever.
  await workers.get('away')?.end('SIGKILL');
  const waiting = farm.ssh(['worker', 'drain', 'drained', '--wait']);
  await say('worker', 'retire', 'retired');
  for (const name of ENDED) await say('worker', 'retire', name, '--now');
  await until('it is being drained', async () => (await hold('drained')) === 'draining');
  await killMaster();
  expect((await waiting).status).toBe(SSH_STATUS);
  await startMaster();
  await Promise.all(LEAVING.map(async (name) => await workers.get(name)?.end('SIGKILL')));
  await Promise.all([...LEAVING, 'away', 'spare'].map(start));
  const waitingOn = farm.ssh(['worker', 'drain', 'drained', '--wait']);
  await Promise.all([...LEAVING, ...ENDED].map(go));

  for (const name of LEAVING) await expectOneGoodBuild(name);
  expect(await exitStatus('single')).toBe(0);
  expect(await waitingOn).toMatchObject({ status: 0, text: 'worker drained is drained\n' });
  await expectRetired('retired');
  for (const name of ENDED) {
    await expectRetired(name);
    await expectRetried(name);
  }
  const { waiting: requests } = JSON.parse((await farm.ssh(['status', '--json'])).text) as StatusView;
  expect(requests.map(({ builder }) => builder)).toEqual(['single']);
});

test('kill -9 of the master when it has stored that an idle worker is retired, and has told nobody', async () => {
  // Again, should it have been killed at a commit that tells of something else.
  await until('it is stored', async () => {
    await killAtNextCommit();
    await farm.ssh(['worker', 'retire', 'spare']);
    await isKilled();
    await startMaster();
    return await hold('spare');
  });
  await expectRetired('spare');
});

test('kill -9 of a daemon, then of the master when it has stored that the next one leaves: that is given nothing more', async () => {
  await force('pausing');
  await start('idle');
  await until('its build has begun', async () => (await buildsOf('pausing'))[0]);
  await workers.get('idle')?.end('SIGKILL');
  await start('idle');
  await farm.workerIs('idle', 'connected');
  // Nothing runs there between two steps, but its build is not over: so it stays, and is still here after the kill.
  await until('it leaves', async () => /^leaves since .*: nothing was run there/.test((await page('idle')).held ?? ''));
  await force('quick');
  await killMaster();
  await startMaster();
  await farm.workerIs('idle', 'connected');
  await go('pausing');
  expect(await exitStatus('idle'), workers.get('idle')?.stderr()).toBe(0);
  expect((await buildsOf('pausing')).map(({ result }) => result)).toEqual(['success']);
  expect(await buildsOf('quick')).toEqual([]);
  await start('idle');
  const build = await until('the next one has it', async () => (await buildsOf('quick'))[0]);
  expect((await farm.finished(build.id)).result).toBe('success');
});
