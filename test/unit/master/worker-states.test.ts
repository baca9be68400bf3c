import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { sleep } from '../../../src/base/sleep.ts';
import type { BuildView } from '../../../src/master/views/build.ts';
import type { HoldWish, WorkerView } from '../../../src/master/views/worker.ts';
import { SENT_AWAY_STATUS } from '../../../src/worker/heed-goodbye.ts';
import { until } from '../../support/until.ts';
import { ADMIN, TryFarm } from './try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let farm: TryFarm;

beforeEach(async () => {
  farm = await TryFarm.create('workers: [worker("w")]');
  const held = `while [ ! -e ${farm.dir}/go ]; do sleep 0.05; done`;
  await farm.config(`
heartbeat: '1s',
workers: [worker('w', { maxBuilds: 4, owner: 'kate' }), worker('v')],
projects: [project('p', { schedulers: [force()], builders: [
  builder('quick', { workers: ['w'], steps: [sh('a', 'true'), sh('b', 'true')] }),
  builder('held', { workers: ['w'], steps: [sh('wait', '${held}'), sh('after', 'true')] }),
  builder('moves', { workers: ['w', 'v'], steps: [sh('wait', '[ "$(basename $(cd ../../.. && pwd))" = v ] || sleep 600')] }),
  builder('stays', { workers: ['w', 'v'], whenWorkerLost: 'wait', steps: [sh('wait', 'sleep 600')] }),
] })]`);
  await farm.startMaster();
});
afterEach(() => farm.close());

const hold = (to: HoldWish['to'], reason?: string): Promise<void> =>
  farm.operator.holdWorker(ADMIN, 'w', { to, ...(reason !== undefined && { reason }) });

async function view(): Promise<WorkerView> {
  return (await farm.operator.workers(ADMIN)).find(({ name }) => name === 'w')!;
}

async function waitsFor(request: number): Promise<string> {
  return await until('it waits with a reason', async () => {
    const { waiting } = await farm.operator.status(ADMIN);
    return waiting.find(({ id }) => id === request)?.waitsFor;
  });
}

/** A build whose step runs until `go`. */
async function begin(builder = 'held'): Promise<BuildView> {
  await farm.force(builder);
  return await until('the step runs', async () => {
    const running = (await farm.operator.status(ADMIN)).running.find((build) => build.builder === builder);
    return running?.steps[0]?.logs.length ? running : undefined;
  });
}

const go = (): Promise<void> => writeFile(join(farm.dir, 'go'), '');

test('a paused worker is given nothing, says why, also after a restart, and takes what waits when it is resumed', async () => {
  await farm.startWorker('w');
  await hold('pause', 'disk swap');
  await hold('pause', 'disk swap');
  const request = await farm.force('quick');
  const why = /^no worker of quick takes builds: w is paused by admin since \d\d:\d\d UTC: disk swap$/;
  expect(await waitsFor(request)).toMatch(why);
  await farm.stopMaster();
  await farm.startMaster();
  await farm.connected('w', true);
  expect(await waitsFor(request)).toMatch(why);
  expect((await view()).hold).toMatchObject({ kind: 'paused', by: 'admin', reason: 'disk swap' });
  await hold('resume');
  const last = (await farm.watch(request)).at(-1);
  expect(last).toMatchObject({ kind: 'build', build: { result: 'success' } });
  expect((await view()).hold).toBeNull();
});

test('everything about one worker, its keys for operators alone', async () => {
  await farm.startWorker('w');
  const { id } = await farm.build('quick');
  await hold('pause', 'disk swap');
  const page = await until('it has told how it fares', async () => {
    const now = await farm.operator.worker(ADMIN, 'w');
    return now.vitals?.load === undefined ? undefined : now;
  });
  expect(page).toMatchObject({
    state: 'connected',
    owner: 'kate',
    hold: { kind: 'paused', by: 'admin', reason: 'disk swap' },
    connection: { peer: expect.stringContaining('127.0.0.1'), epoch: 1, sessions: 1 },
    lastBuilds: [{ id, builder: 'quick', result: 'success' }],
    keys: [{ fingerprint: expect.stringMatching(/^SHA256:/) }],
    facts: { cores: expect.anything() },
  });
  expect((await farm.operator.worker({ name: 'rita', role: 'reader' }, 'w')).keys).toBeNull();
  await expect(farm.operator.worker(ADMIN, 'x')).rejects.toMatchObject({ code: 'not-found' });
  expect((await farm.operator.audit(ADMIN, 2)).map(({ who, action, target }) => [who, action, target])).toEqual([
    ['admin', 'pause a worker', 'w'],
    ['admin', 'force a build', 'p/quick'],
  ]);
});

test('a draining worker ends its builds, across a restart of both, and is taken back', async () => {
  const worker = await farm.startWorker('w');
  const { id } = await begin();
  await hold('drain');
  await hold('drain');
  await expect(hold('pause', 'x')).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(/^w is being drained by admin since .*; "worker resume w" first$/),
  });
  const drained = farm.operator.untilDrained(ADMIN, 'w', new AbortController().signal);
  drained.catch(() => undefined); // Its master stops.
  const waiting = await farm.force('quick');
  await farm.stopMaster();
  await worker.stop();
  await go();
  await farm.startMaster();
  await farm.startWorker('w');
  expect(await farm.operator.untilDrained(ADMIN, 'w', new AbortController().signal)).toBe(true);
  expect((await farm.operator.build(ADMIN, String(id))).result).toBe('success');
  expect(await waitsFor(waiting)).toContain('w is drained by admin');
  await hold('resume');
  expect((await farm.watch(waiting)).at(-1)).toMatchObject({ build: { result: 'success' } });
});

test('a retired worker ends its builds, is told, and its name is free', async () => {
  const worker = await farm.startWorker('w');
  const { id } = await begin();
  await hold('retire', 'too old');
  expect(worker.state().link).toBe('connected');
  await go();
  await expect(worker.closed).rejects.toMatchObject({
    exitStatus: SENT_AWAY_STATUS,
    message: expect.stringMatching(/\(retired\): retired by admin: too old; to let it in again: worker add w$/),
  });
  expect((await farm.operator.build(ADMIN, String(id))).result).toBe('success');
  await until('the key is withdrawn', async () => (await view()).hold?.kind === 'retired');
  await hold('retire');
  await expect(hold('resume')).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('worker add w'),
  });
  await farm.admitAgain('w');
  await farm.startWorker('w');
  expect((await view()).hold).toBeNull();
  expect((await farm.build('quick')).result).toBe('success');
});

test('what is retired now has its builds ended there, and retried elsewhere by their rule', async () => {
  const worker = await farm.startWorker('w');
  const moves = await begin('moves');
  const stays = await begin('stays');
  await farm.startWorker('v');
  await hold('retire-now');
  await expect(worker.closed).rejects.toMatchObject({ exitStatus: SENT_AWAY_STATUS });
  const ended = await Promise.all([moves, stays].map(({ id }) => farm.finished(String(id))));
  expect(ended.map(({ result, summary }) => [result, summary])).toEqual([
    ['retry', 'worker w was retired'],
    ['exception', 'worker w was retired'],
  ]);
  const again = await until(
    'it is retried',
    async () => (await farm.operator.build(ADMIN, String(moves.id))).retriedAs,
  );
  expect(await farm.finished(String(again))).toMatchObject({ worker: 'v', result: 'success' });
});

test('a worker that is drained on its machine ends with a status that nobody starts again', async () => {
  const worker = await farm.startWorker('w');
  const { id } = await begin();
  await worker.drain('new memory');
  await until('the master knows', async () => (await view()).held?.includes('new memory'));
  await expect(hold('resume')).rejects.toMatchObject({ code: 'conflict' });
  const waiting = await farm.force('quick');
  // As one that is killed: the wish lies in its folder.
  await worker.stop();
  const next = await farm.startWorker('w');
  expect(await waitsFor(waiting)).toMatch(/w leaves since .*: new memory$/);
  await go();
  await expect(next.closed).rejects.toMatchObject({ exitStatus: SENT_AWAY_STATUS });
  expect((await farm.operator.build(ADMIN, String(id))).result).toBe('success');
  await farm.startWorker('w');
  expect((await farm.watch(waiting)).at(-1)).toMatchObject({ build: { result: 'success' } });
});

test('one that is started for one build has one, also when it and the master are started anew in the middle', async () => {
  const worker = await farm.startWorker('w', { isOnce: true });
  const { id } = await begin();
  const waiting = await farm.force('quick');
  expect(await waitsFor(waiting)).toContain('w leaves: it has had its one build');
  await worker.stop();
  await farm.stopMaster();
  await farm.startMaster();
  const next = await farm.startWorker('w', { isOnce: true });
  expect(await waitsFor(waiting)).toContain('w leaves: it has had its one build');
  await go();
  await next.closed;
  expect((await farm.operator.build(ADMIN, String(id))).result).toBe('success');
  // It has left well: the next start has the next one.
  const other = await farm.startWorker('w', { isOnce: true });
  expect((await farm.watch(waiting)).at(-1)).toMatchObject({ build: { result: 'success' } });
  await other.closed;
});

test('no build is lost to a worker that leaves when it is idle for milliseconds', async () => {
  const builds: BuildView[] = [];
  const enough = new AbortController();
  let starts = 0;
  await farm.addWorker('w');
  const supervisor = (async (): Promise<void> => {
    while (!enough.signal.aborted) {
      starts++;
      await (
        await farm.openWorker('w', { idleExitMs: 20 + 10 * (starts % 4) })
      ).closed;
    }
  })();
  for (let n = 0; n < 15; n++) {
    // Every third comes while it is away or just here, the others at one moment or another of its idle time.
    const before = starts;
    if (n % 3 === 2) await until('it has left', () => starts > before);
    else await sleep(systemClock, 8 * n);
    builds.push(await farm.build('quick'));
  }
  enough.abort();
  await supervisor;
  expect(starts).toBeGreaterThanOrEqual(5);
  expect(builds.map(({ result, retryOf }) => [result, retryOf])).toEqual(builds.map(() => ['success', null]));
});

test('a worker that is away is retired when it has come to be told, and without that when it stays away', async () => {
  await farm.startWorker('w');
  await farm.stopWorker('w');
  await hold('retire');
  const back = await farm.openWorker('w');
  await expect(back.closed).rejects.toMatchObject({ exitStatus: SENT_AWAY_STATUS });
  const isRetired = async (): Promise<boolean> => (await view()).hold?.kind === 'retired';
  await until('the key is withdrawn', isRetired);
  await farm.admitAgain('w');
  await farm.startWorker('w');
  await farm.stopWorker('w');
  await farm.stopMaster();
  await farm.startMaster({ clock: { ...systemClock, now: () => systemClock.now() + 120_000 } });
  await hold('retire');
  await until('the key is withdrawn', isRetired);
});
