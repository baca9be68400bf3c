import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { keepersOf } from '../../../support/keepers-of.ts';
import { finished, isRunning, printed, readAll, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const DAEMON = fileURLToPath(new URL('../../../../dist/test/unit/worker/keeper/daemon-main.js', import.meta.url));

/** Prints, and ends when the file `go` is there. */
const WAITS = 'echo begun; until [ -e go ]; do sleep 0.05; done; echo over; exit 5';

test('a command outlives a daemon that is killed, and the next one reads on and gets its outcome', async () => {
  const spool = await SpoolFixture.make();
  const daemon = spawn(process.execPath, [DAEMON, spool.dir, JSON.stringify(spool.shell('c1', WAITS))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(daemon.stdout, 'data');
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
  const keeper = await spool.open();
  expect(await keeper.list()).toMatchObject([{ command: 'c1', state: 'running' }]);
  await printed(keeper, 'c1', 'begun');
  // The new daemon hears of it too.
  const told: string[] = [];
  keeper.onProgress((command) => told.push(command));
  await writeFile(join(spool.work, 'go'), '');
  await finished(keeper, 'c1');
  await until('it is told', () => told.includes('c1'));
  expect((await keeper.find('c1'))!.outcome).toMatchObject({ status: 'exited', exitCode: 5 });
  expect((await readAll(keeper, 'c1')).toString()).toBe('begun\nover\n');
});

test('a limit of time holds while no daemon lives', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'sleep 1000', { totalMs: 200 }));
  await keeper.close();
  await until('the outcome is there', () => existsSync(join(spool.dir, 'c1', 'outcome.json')));
  expect((await finished(await spool.open(), 'c1')).outcome).toMatchObject({ ended: 'total' });
});

test('when the keeper is killed the outcome is unknown, its processes are ended, and the next start works', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'setsid sleep 1000 & echo begun; while :; do sleep 0.1; done'));
  await printed(keeper, 'c1', 'begun');
  const pid = await spool.keeperPid('c1');
  process.kill(pid, 'SIGKILL');
  const held = await finished(keeper, 'c1');
  expect(held.outcome).toMatchObject({ status: 'unknown' });
  expect(held.outcome!.message).toContain(`keeper process ${pid}`);
  expect(await spool.marked()).toEqual([]);
  expect((await readAll(keeper, 'c1')).toString()).toBe('begun\n');
  // Known by its id: it is not started again.
  await keeper.start(spool.shell('c1', 'echo again'));
  await keeper.start(spool.shell('c2', 'echo next'));
  expect((await finished(keeper, 'c2')).outcome).toMatchObject({ status: 'exited', exitCode: 0 });
  expect(await spool.keeperPid('c2')).not.toBe(pid);
  expect(await keeper.find('c1')).toMatchObject({ outcome: { status: 'unknown' } });
});

test('an outcome that was the last deed of a killed keeper is told', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'echo begun; sleep 1000'));
  await printed(keeper, 'c1', 'begun');
  const pid = await spool.keeperPid('c1');
  // Between writing the outcome and telling of it there are but microseconds.
  process.kill(pid, 'SIGSTOP');
  const told: string[] = [];
  keeper.onProgress((command) => told.push(command));
  const outcome = { status: 'exited', exitCode: 7, startedAtMs: 1, endedAtMs: 2 };
  await writeFile(join(spool.dir, 'c1', 'outcome.new'), JSON.stringify({ outcome, outputEnd: 6 }));
  await rename(join(spool.dir, 'c1', 'outcome.new'), join(spool.dir, 'c1', 'outcome.json'));
  process.kill(pid, 'SIGKILL');
  await until('it is told', () => told.includes('c1'));
  expect(await keeper.find('c1')).toMatchObject({ outcome: { exitCode: 7 } });
  for (const left of await spool.marked()) process.kill(left, 'SIGKILL');
});

test('when daemon and keeper are killed, the next daemon finds all ended', async () => {
  const spool = await SpoolFixture.make();
  const first = await spool.open();
  await first.start(spool.shell('c1', 'echo begun; sleep 1000'));
  await first.start(spool.shell('c2', 'echo done'));
  await finished(first, 'c2');
  await printed(first, 'c1', 'begun');
  const pid = await spool.keeperPid('c1');
  await first.close();
  process.kill(pid, 'SIGKILL');
  await until('the keeper is dead', async () => !(await isRunning(pid)));
  const second = await spool.open();
  const list = await second.list();
  expect(list.find(({ command }) => command === 'c1')).toMatchObject({ outcome: { status: 'unknown' } });
  expect(list.find(({ command }) => command === 'c2')).toMatchObject({ outcome: { status: 'exited' } });
  expect(await spool.marked()).toEqual([]);
});

test('a keeper killed while it waits for the end of the output leaves the exit status', async () => {
  const spool = await SpoolFixture.make({ drainMs: 3_600_000 });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'sleep 1000 & echo begun; exit 6'));
  await until('the exit is noted', () => existsSync(join(spool.dir, 'c1', 'exit.json')));
  process.kill(await spool.keeperPid('c1'), 'SIGKILL');
  const held = await finished(keeper, 'c1');
  expect(held.outcome).toMatchObject({ status: 'exited', exitCode: 6, cut: 'lost' });
  expect(held.outcome!.message).toContain('end of its output');
  // The log itself says so, for whoever reads no more than that.
  expect((await readAll(keeper, 'c1')).toString()).toMatch(
    /^begun\n\[trunkline: .*end of its output may be missing\]\n$/,
  );
  expect(held.outputEnd).toBe((await readAll(keeper, 'c1')).length);
  expect(await spool.marked()).toEqual([]);
});

test('a raised fence outlives the daemon, and does not fall', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.spec('c1', ['true']));
  await keeper.setFence('c1', 9);
  await keeper.setFence('c1', 4);
  expect(await keeper.find('c1')).toMatchObject({ fence: 9 });
  await keeper.close();
  expect(await (await spool.open()).find('c1')).toMatchObject({ fence: 9 });
});

test('a keeper whose spool is removed ends its commands and leaves', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'trap "" TERM; echo begun; while :; do sleep 0.1; done'));
  await printed(keeper, 'c1', 'begun');
  const pid = await spool.keeperPid('c1');
  await keeper.close();
  // Moved in one step: while it is being removed it is still there.
  await rename(spool.dir, join(spool.work, 'moved'));
  await until('the keeper left', async () => !(await isRunning(pid)));
  expect(await spool.marked()).toEqual([]);
  await rm(join(spool.work, 'moved'), { recursive: true });
});

test('a keeper that is killed before it can be spoken to is followed by another one, which starts the command', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  const started = keeper.start(spool.shell('c1', 'echo once >> starts'));
  const [newborn] = await until('a keeper is born', async () => {
    const pids = await keepersOf(spool.dir);
    return pids.length > 0 && pids;
  });
  process.kill(newborn ?? 0, 'SIGKILL');
  await started;
  const held = await finished(keeper, 'c1');
  expect(held.outcome).toMatchObject({ status: 'exited', exitCode: 0 });
  expect(await readFile(join(spool.work, 'starts'), 'utf8')).toBe('once\n');
});

test('what a killed keeper leaves half made is gone soon, while the daemon goes on', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'echo begun; sleep 1000'));
  const pid = await spool.keeperPid('c1');
  await mkdir(join(spool.dir, `.new-${pid}-half`));
  const left = async (): Promise<readonly string[]> =>
    (await readdir(spool.dir)).filter((name) => name.includes(`-${pid}`));
  expect((await left()).some((name) => name.startsWith(`.pipe-${pid}`))).toBe(true);
  process.kill(pid, 'SIGKILL');
  await until('nothing is left', async () => (await left()).length === 0);
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ status: 'unknown' });
});

test('a keeper whose spool is removed leaves also when it holds output that has no place any more', async () => {
  // What the pipe holds goes over the end of the file that is open.
  const spool = await SpoolFixture.make({ segmentBytes: 4_096, commandBytes: 8_192 });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'yes'));
  await until('the spool is full', async () => (await keeper.find('c1'))!.outputEnd >= 8_192);
  const pid = await spool.keeperPid('c1');
  await keeper.close();
  await rename(spool.dir, join(spool.work, 'moved'));
  await until('the keeper left', async () => !(await isRunning(pid)));
  expect(await spool.marked()).toEqual([]);
  await rm(join(spool.work, 'moved'), { recursive: true });
});
