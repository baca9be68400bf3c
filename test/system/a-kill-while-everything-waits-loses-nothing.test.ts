import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import type { ChangeView, SentChange } from '../../src/master/views/change.ts';
import type { LockView } from '../../src/master/views/lock.ts';
import type { QueuedView, RequestView, WhyView } from '../../src/master/views/request.ts';
import type { SchedulerView } from '../../src/master/views/scheduler.ts';
import type { PolledView, SourceView } from '../../src/master/views/source.ts';
import { BareRepository } from '../support/bare-repository.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { runOk } from '../support/run.ts';
import { until } from '../support/until.ts';

// Each kind of waiting at once, and kill -9 twice. Each one at each of its commits: kill.test.ts (quiet times), killed-polls.test.ts,
// and the other stories named a-kill-…, a-waited-trigger-….
const MASTER = resolve(import.meta.dirname, '../../dist/test/support/killed-master-main.js');
const QUIET_MS = 7_000;
const PAUSE_MS = 7_000;
const QUEUE_FOR_MS = 7_000;

let farm: Farm;
let kate: BareRepository;
let master: Daemon;
let orders = 0;

const file = (name: string): string => join(farm.dir, name);

beforeAll(async () => {
  farm = await Farm.create();
  kate = await BareRepository.make(file('kate.git'));
  await kate.commit('main');
  for (const folder of ['starts', 'bin']) await mkdir(file(folder));
  const git = await runOk('sh', ['-c', 'command -v git']);
  // A fetch takes as long as it is held.
  const held = `#!/bin/sh
case " $* " in *" fetch "*)
  touch ${file('fetching')}
  while [ -e ${file('hold-git')} ]; do sleep 0.05; done
esac
exec ${git} "$@"
`;
  await writeFile(join(file('bin'), 'git'), held, { mode: 0o755 });
  const untilGo = `while [ ! -e ${file('go')} ]; do sleep 0.05; done`;
  await farm.config(`
import { builder, defineMaster, force, git, masterLock, onChange, project, step, trigger, triggerable, worker } from 'trunkline';
const board = masterLock('board');
const run = (name, script, options) => step('run', async (ctx) => {
  const { ok } = await ctx.run('mktemp -q ${file('starts')}/' + name + '.XXXXXX >/dev/null; ' + script);
  if (!ok) ctx.fail('it failed');
}, options);
const onBoard = (name, script) => 'echo +' + name + ' >> ${file('board')}; ' + script + '; echo -' + name + ' >> ${file('board')}';
const workers = ['w'];
export default defineMaster({
  title: 'Everything waits',
  heartbeat: '1s',
  workers: [worker('w', { maxBuilds: 10 }), worker('never')],
  projects: [
    project('p', {
      source: git('/nowhere'),
      builders: [
        builder('quiet', { workers, steps: [run('quiet', 'true')] }),
        builder('parent', { workers, steps: [trigger('ask', { schedulers: ['child'], wait: true }), run('parent', 'true')] }),
        builder('child', { workers, locks: [board.exclusive()], steps: [run('child', onBoard('child', ${JSON.stringify(untilGo)}))] }),
        builder('waiter', { workers, steps: [run('waiter', onBoard('waiter', 'true'), { locks: [board.exclusive()] })] }),
        builder('collapsed', { workers, collapse: true, locks: [board.exclusive()], steps: [run('collapsed', onBoard('collapsed', 'true'))] }),
        builder('given-up', { workers: ['never'], queueFor: '${QUEUE_FOR_MS}ms', steps: [run('given-up', 'true')] }),
        builder('later', { workers, retry: { failure: 1, pause: '${PAUSE_MS}ms' }, steps: [run('later', 'false')] }),
      ],
      schedulers: [
        force(),
        triggerable('child', { builders: ['child'] }),
        onChange({ name: 'quiet', branch: 'main', quiet: '${QUIET_MS}ms', builders: ['quiet'] }),
        onChange({ name: 'now', branch: 'now', builders: ['collapsed'] }),
      ],
    }),
    project('site', {
      source: git('/nowhere'),
      dependsOn: ['p'],
      builders: [builder('site', { workers, steps: [run('site', 'true')] })],
      schedulers: [onChange({ branch: 'now' })],
    }),
    project('kate', {
      source: git(${JSON.stringify(kate.dir)}, { poll: '1s' }),
      builders: [builder('polled', { workers, steps: [run('polled', 'true')] })],
      schedulers: [onChange({ branch: 'main' })],
    }),
  ],
});
`);
  await startMaster();
  await farm.addWorker('w');
  await farm.startWorker('w');
});
afterAll(() => farm.close());

async function startMaster(): Promise<void> {
  const env = { KILL_MASTER: file('kill'), PATH: `${file('bin')}:${process.env['PATH']}` };
  master = await farm.startMaster(env, { program: MASTER });
}

async function ask<T>(...words: readonly string[]): Promise<T> {
  const { status, text, stderr } = await farm.ssh([...words, '--json']);
  expect(status, stderr).toBe(0);
  return JSON.parse(text) as T;
}

const force = (builder: string): Promise<unknown> => ask('force', `p/${builder}`);

async function send(branch: string, revision: string, project = 'p'): Promise<SentChange> {
  const [change] = await ask<readonly SentChange[]>('sendchange', project, '--branch', branch, '--revision', revision);
  return change!;
}

const onBoard = async (): Promise<readonly string[]> => {
  return existsSync(file('board')) ? (await readFile(file('board'), 'utf8')).trim().split('\n') : [];
};

async function why(words: string): Promise<WhyView | undefined> {
  return (await ask<readonly WhyView[]>('why', words))[0];
}

/** Who waits for the lock: steps first. */
async function waiters(): Promise<readonly string[]> {
  const [board] = await ask<readonly LockView[]>('locks', 'board');
  return (board?.waiters ?? []).map(({ builder, step }) => `${builder} ${step}`);
}

async function isFetching(): Promise<void> {
  await until('the poll is in the middle of its fetch', () => existsSync(file('fetching')));
}

/** The change that takes the place of another kills the master at its commit: nothing is answered. */
async function killedAt(phase: KillOrder['phase']): Promise<void> {
  await rm(file('fetching'), { force: true });
  await writeFile(file('kill.new'), JSON.stringify({ id: (orders += 1), n: 1, phase } satisfies KillOrder));
  await rename(file('kill.new'), file('kill'));
  const { status } = await farm.ssh(['sendchange', 'p', '--branch', 'now', '--revision', 'newer', '--json']);
  expect(status).not.toBe(0);
  await until('the master is killed', () => master.process.signalCode === 'SIGKILL');
  await startMaster();
}

/** What waits on the branch `now`, and what it took the place of; the changes that are known of it. */
async function collapse(): Promise<{ readonly waiting: readonly string[]; readonly changes: readonly string[] }> {
  const queue = (await ask<readonly QueuedView[]>('queue')).filter(({ builder }) => builder === 'collapsed');
  const changes = (await ask<readonly ChangeView[]>('changes', 'p')).filter(({ branch }) => branch === 'now');
  return {
    waiting: queue.map(({ revision, collapsed }) => `${revision} ${collapsed.length}`),
    changes: changes.map(({ revision }) => revision),
  };
}

test('kill -9 in the middle of a quiet period, a waited trigger, a lock wait, a poll, a retry pause, a wait for another project and a collapse', async () => {
  await until('kate is polled', async () => (await ask<readonly SourceView[]>('poll'))[0]?.polledAtMs);
  await force('parent');
  await until('the child holds the lock', async () => (await onBoard()).length === 1);
  await force('waiter');
  await send('now', 'older');
  await until('a step and a request wait for the lock', async () => (await waiters()).length === 2);
  expect(await waiters()).toEqual(['waiter run', 'collapsed null']);
  await send('now', 'site', 'site');
  await writeFile(file('hold-git'), '');
  await rm(file('fetching'), { force: true });
  const pushed = await kate.commit('main', { message: 'pushed' });
  await isFetching();
  const given = await ask<RequestView>('force', 'p/given-up');
  await force('later');
  await until('it pauses', async () => (await why('p/later'))?.causes[0]?.text.startsWith('pauses until '));
  await send('main', 'one');
  await send('main', 'two');
  const quiet = (await ask<readonly SchedulerView[]>('schedulers')).find(({ name }) => name === 'quiet');
  expect(quiet).toMatchObject({ pendingChanges: 2, last: null });

  const untouched = { waiting: ['older 0'], changes: ['older'] };
  await killedAt('before');
  expect(await collapse()).toEqual(untouched);
  expect(await waiters()).toEqual(['waiter run', 'collapsed null']);
  await isFetching();
  // Again, should it be killed at the commit of something else.
  const collapsed = await until('it is stored, and nobody was told', async () => {
    await killedAt('after');
    const now = await collapse();
    return now.changes.length > 1 && now;
  });
  expect(collapsed).toEqual({ waiting: ['newer 1'], changes: ['newer', 'older'] });
  expect(await waiters()).toEqual(['waiter run', 'collapsed null']);
  await isFetching();
  // As whoever heard no answer does.
  expect(await send('now', 'newer')).toMatchObject({ isNew: false });

  await rm(file('hold-git'));
  await writeFile(file('go'), '');
  const builds = await until('all have been built', async () => {
    const list = (await farm.list()).filter(({ state }) => state === 'finished');
    return list.length === 9 && list.toReversed();
  });
  const of = (builder: string): readonly BuildView[] => builds.filter((build) => build.builder === builder);
  const told = JSON.stringify(builds);
  const results = (builder: string): readonly unknown[] => of(builder).map(({ result }) => result);

  expect(results('quiet'), told).toEqual(['success']);
  expect(of('quiet')[0]?.changes.map(({ revision }) => revision)).toEqual(['one', 'two']);
  const sent = await ask<readonly ChangeView[]>('changes', 'p');
  const last = sent.find(({ revision }) => revision === 'two');
  expect(of('quiet')[0]!.startedAtMs - last!.atMs).toBeGreaterThanOrEqual(QUIET_MS);

  expect(results('parent'), told).toEqual(['success']);
  expect(of('parent')[0]?.children).toMatchObject([{ builder: 'child', result: 'success', build: of('child')[0]?.id }]);
  expect(results('waiter'), told).toEqual(['success']);
  const order = ['child', 'waiter', 'collapsed'];
  expect(await onBoard()).toEqual(order.flatMap((name) => [`+${name}`, `-${name}`]));

  expect(results('collapsed'), told).toEqual(['success']);
  expect(of('collapsed')[0]?.changes.map(({ revision }) => revision)).toEqual(['older', 'newer']);

  expect(results('site'), told).toEqual(['success']);
  expect(of('site')[0]!.startedAtMs).toBeGreaterThanOrEqual(of('collapsed')[0]!.finishedAtMs!);

  await until('it is given up', async () => (await why(`request:${given.id}`))?.state === 'ended');
  expect((await why(`request:${given.id}`))?.causes[0]?.text).toMatch(/its time in the queue is over/);

  expect(results('later'), told).toEqual(['retry', 'failure']);
  const [first, second] = of('later');
  expect(second!.startedAtMs - first!.finishedAtMs!).toBeGreaterThanOrEqual(PAUSE_MS);

  expect(of('polled').map(({ revision, result }) => [revision, result])).toEqual([[pushed, 'success']]);
  // And there is nothing that could still come.
  expect((await ask<PolledView>('poll', 'kate')).changes).toEqual([]);
  expect(await ask('queue')).toEqual([]);
  const [board] = await ask<readonly LockView[]>('locks', 'board');
  expect([board?.waiters, board?.places.flatMap(({ holders }) => holders)]).toEqual([[], []]);
  for (const { pendingChanges } of await ask<readonly SchedulerView[]>('schedulers')) expect(pendingChanges).toBe(0);
  const starts = (await readdir(file('starts'))).map((name) => name.split('.')[0] ?? '');
  expect(starts.toSorted()).toEqual(builds.map(({ builder }) => builder).toSorted());
});
