import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { deferred } from '../../../src/base/deferred.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { Commands } from '../../../src/worker/commands/commands.ts';
import { Leavers } from '../../../src/worker/commands/leavers.ts';
import { FileRecords } from '../../../src/worker/files/file-record.ts';
import { MadeLists } from '../../../src/worker/files/made-list.ts';
import type { Keeper } from '../../../src/worker/keeper/keeper.ts';
import { SessionBook } from '../../../src/worker/session-book.ts';
import { until } from '../../support/until.ts';
import { SpoolFixture } from './keeper/spool-fixture.ts';
import { TryWorker } from './try-worker.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let it: TryWorker;
beforeEach(async () => {
  it = await TryWorker.create();
  // No time at all to die after KILL: what ignores TERM is stopped, and left.
  it.options = { keeperLimits: { endMs: 0, drainMs: 100 } };
});
afterEach(() => it.close());

async function commandsOf(spool: SpoolFixture, keeper: Keeper): Promise<Commands> {
  const [state, files] = [join(spool.work, 'state'), join(spool.work, 'state', 'files')];
  await mkdir(files, { recursive: true });
  const [records, sessions] = [await FileRecords.open(files, silentLogger), await SessionBook.open(state)];
  const lists = await MadeLists.open(join(state, 'lists'), () => true);
  const environment = (): Readonly<Record<string, string>> => ({});
  return new Commands({ keeper, records, lists, sessions, workDir: spool.work, clock: systemClock, environment });
}

/** Ends with the master's word, but leaves a process that ignores TERM in a session of its own. Its pid. */
async function leaveOneBehind(): Promise<number> {
  it.master.seat('s1', 'p/b');
  const script = `setsid sh -c 'trap "" TERM; echo $$ > pid; exec sleep 1000' & until [ -s pid ]; do sleep 0.1; done; echo ready; wait`;
  const ordered = it.master.run('u.1.1', 's1', script, { killAfterMs: 500 });
  await it.start();
  await until('it runs', () => it.master.log(ordered).includes('ready'));
  it.master.link?.send('command.interrupt', 's1', { command: 'u.1.1', fence: 1, reason: 'the build was stopped' });
  expect(await it.master.end(ordered)).toMatchObject({ ended: 'interrupt' });
  it.master.forget('u.1.1');
  return Number(await readFile(it.work('p', 'b', 'pid'), 'utf8'));
}

test('a start is refused while a process of a forgotten command lives where it is to run, and says which', async () => {
  it.options = { ...it.options, leaversWaitMs: 500 };
  const pid = await leaveOneBehind();
  it.master.seat('s1', 'p/b', 2);
  const next = it.master.run('u.2.1', 's1', 'touch ran');
  const outcome = await it.master.end(next);
  expect(outcome).toMatchObject({ status: 'refused', fault: 'worker' });
  expect(outcome.message).toContain(`${it.work('p', 'b')} has not ended: u.1.1 (processes ${pid})`);
  // The same folder under another session's name, and another folder.
  it.master.seat('s9', 'p/b');
  it.master.seat('s2', 'p/b-1');
  const [same, other] = [it.master.run('u.3.1', 's9', 'touch ran'), it.master.run('u.4.1', 's2', 'touch ran')];
  expect((await it.master.end(same)).message).toContain(`processes ${pid}`);
  expect(await it.master.end(other)).toMatchObject({ exitCode: 0 });
  expect(existsSync(it.work('p', 'b', 'ran'))).toBe(false);
  process.kill(pid, 'SIGKILL');
  await until('it is forgotten', () => !existsSync(join(it.dir, 'spool', 'u.1.1')));
  expect(await it.master.end(it.master.run('u.2.2', 's1', 'touch ran'))).toMatchObject({ exitCode: 0 });
});

test('a start waits for it, over a restart of the daemon too, and then runs', async () => {
  const pid = await leaveOneBehind();
  await it.restart();
  it.master.seat('s1', 'p/b', 2);
  it.master.seat('s2', 'p/b-1');
  const next = it.master.run('u.2.1', 's1', `grep -q '^State:.[^ZX]' /proc/${pid}/status || echo alone`);
  await it.master.end(it.master.run('u.4.1', 's2', 'sleep 1'));
  expect(existsSync(join(it.dir, 'spool', 'u.2.1'))).toBe(false);
  expect(next.outcome).toBeUndefined();
  process.kill(pid, 'SIGKILL');
  expect(await it.master.end(next)).toMatchObject({ exitCode: 0 });
  expect(it.master.log(next).toString()).toMatch(/alone\n$/);
});

test('what leaves while others are looked for is not taken for something that stays', async () => {
  const spool = await SpoolFixture.make();
  const real = await spool.open();
  const early = deferred();
  // The other one is looked for just when the early one leaves.
  const keeper = new Proxy(real, {
    get: (target, name) => {
      if (name !== 'find') return (Reflect.get(target, name) as () => unknown).bind(target);
      return async (command: string) => {
        if (command === 'late') await target.forget('early').then(early.resolve);
        return await target.find(command);
      };
    },
  });
  const leavers = new Leavers({ commands: await commandsOf(spool, keeper), keeper, clock: systemClock });
  await real.start(spool.shell('early', 'sleep 1000'));
  leavers.forgotten('early', undefined, early.promise);
  leavers.forgotten('late', undefined, Promise.resolve());
  expect(await leavers.leftAt({ session: 'session-1', fence: 2, folder: spool.work }, 'next')).toBeUndefined();
});

test('a change of a folder is only in the way of later owners, and an order that failed until it is given again', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  const leavers = new Leavers({ commands: await commandsOf(spool, keeper), keeper, clock: systemClock });
  const place = { session: 'session-1', fence: 2, folder: spool.work };

  const removal = deferred();
  leavers.changes('removal', { session: 'session-1', fence: 1 }, removal.promise);
  expect(await leavers.leftAt({ ...place, fence: 1 }, 'next')).toBeUndefined();
  let isFree = false;
  const free = leavers.leftAt(place, 'next').then((left) => {
    isFree = true;
    return left;
  });
  await keeper.start(spool.shell('c1', 'sleep 1000'));
  expect(isFree).toBe(false);
  removal.resolve();
  expect(await free).toBeUndefined();

  // Two that were forgotten before they began: each forget waits for its start, and each start for the other's forget.
  const [one, other] = [deferred(), deferred()];
  const start = leavers.leftAt(place, 'one');
  leavers.forgotten('other', place.session, other.promise);
  const starts = [start, leavers.leftAt(place, 'one'), leavers.leftAt(place, 'other')];
  leavers.forgotten('one', place.session, one.promise);
  expect(await Promise.all(starts)).toEqual([undefined, undefined, undefined]);
  expect([leavers.isLeaving('one'), leavers.isLeaving('other')]).toEqual([true, true]);
  one.resolve();
  other.resolve();
  expect(await leavers.leftAt(place, 'next')).toBeUndefined();

  leavers.forgotten('c1', undefined, Promise.resolve());
  expect(await leavers.leftAt(place, 'next')).toMatch(/has not ended: c1 \(processes \d+\)/);
  leavers.forgotten('c1', undefined, keeper.forget('c1'));
  expect(await leavers.leftAt(place, 'next')).toBeUndefined();
  expect(leavers.size).toBe(0);
});
