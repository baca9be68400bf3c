import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { momentOf } from '../../../../src/base/moment.ts';
import { smallDisk } from '../../../support/small-disk.ts';
import type { SmallDisk } from '../../../support/small-disk.ts';
import { finished, isRunning, printed, readAll, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const KiB = 1024;
const LINES = 800_000;
const wanted = Buffer.from(Array.from({ length: LINES }, (_, i) => `${i + 1}\n`).join(''));

let disk: SmallDisk | undefined;
let spool: SpoolFixture;

beforeEach(async ({ skip }) => {
  spool = await SpoolFixture.make({ segmentBytes: 64 * KiB, freeBytes: 0 });
  disk = await smallDisk(4_096 * KiB, spool.dir);
  if (!disk) {
    skip('no small file system can be mounted here');
    return;
  }
  const mounted = disk;
  onTestFinished(() => mounted.remove());
});

test('a disk that takes no more in the middle of a write holds the command, which loses nothing', async () => {
  const keeper = await spool.open();
  const told: number[] = [];
  keeper.onHeldBack(({ byDisk }) => told.push(byDisk));
  await keeper.start(spool.shell('c1', `seq 1 ${LINES}`, { silenceMs: 1_500 }));
  await until('it is told that the disk holds it', () => keeper.heldBack().byDisk === 1);
  const pid = await spool.keeperPid('c1');
  expect(disk!.freeBytes()).toBe(0);
  // Longer than the silence that ends a command which could write.
  const heldAtMs = performance.now();
  await until('it was held for long', () => performance.now() - heldAtMs > 3_000);
  const pieces: Buffer[] = [];
  let at = 0;
  await until('all is read', async () => {
    const piece = await readAll(keeper, 'c1', at);
    pieces.push(piece);
    at += piece.length;
    await keeper.acknowledge('c1', at);
    const held = (await keeper.find('c1'))!;
    return held.state === 'finished' && at === held.outputEnd;
  });
  expect((await keeper.find('c1'))!.outcome).toMatchObject({ status: 'exited', exitCode: 0 });
  expect(Buffer.concat(pieces).equals(wanted)).toBe(true);
  expect(await spool.keeperPid('c1')).toBe(pid);
  expect(await isRunning(pid)).toBe(true);
  await until('the end of it is told', () => told.at(-1) === 0);
  const log = await readFile(join(spool.dir, '.keeper.log'), 'utf8');
  expect(log.split('\n').filter((line) => line.includes('could not be written')).length).toBeLessThan(50);
});

test('an outcome that the disk does not take is written when there is room', async () => {
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'while [ ! -e go ]; do sleep 0.05; done; echo done; exit 3'));
  disk!.fill(0);
  const pid = await spool.keeperPid('c1');
  await keeper.start(spool.shell('c2', 'true')).then(
    () => expect.unreachable('a claim was made on a full disk'),
    (error: Error) => expect(error.message).toMatch(/disk .* is full.*make room/),
  );
  expect(await keeper.find('c2')).toBeUndefined();
  // The work folder lies on another disk.
  await writeFile(join(spool.work, 'go'), '');
  await until('its processes have ended', async () => (await spool.marked()).length === 0);
  await until('it is told that the disk holds it', () => keeper.heldBack().byDisk === 1);
  expect((await keeper.find('c1'))!.state).toBe('running');
  disk!.relieve();
  const { outcome, outputEnd } = await finished(keeper, 'c1');
  expect(outcome).toMatchObject({ status: 'exited', exitCode: 3 });
  expect((await readAll(keeper, 'c1')).toString()).toBe('done\n');
  expect(outputEnd).toBe(5);
  expect(await isRunning(pid)).toBe(true);
  await keeper.start(spool.shell('c2', 'true'));
  expect((await finished(keeper, 'c2')).outcome).toMatchObject({ exitCode: 0 });
});

test('a command on a full disk stays in the sight of the master', async () => {
  const keeper = await spool.open();
  const isSeen = (): void => keeper.seen(momentOf(systemClock), 100);
  isSeen();
  await keeper.start(spool.shell('c1', 'sleep 1000', { leaseMs: 3_000 }));
  disk!.fill(0);
  const fullAtMs = performance.now();
  await until('it was full for longer than the lease', () => {
    isSeen();
    return performance.now() - fullAtMs > 6_000;
  });
  expect((await spool.marked()).length).toBeGreaterThan(0);
  disk!.relieve();
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ ended: 'deadline' });
});

test('a full disk keeps nobody from ending what runs there', async () => {
  const keeper = await spool.open();
  for (const name of ['c1', 'c2']) await keeper.start(spool.shell(name, 'echo begun; sleep 1000'));
  for (const name of ['c1', 'c2']) await printed(keeper, name, 'begun');
  disk!.fill(0);
  await keeper.interrupt('c1', 'stopped to make room');
  const forgotten = keeper.forget('c2');
  await until('their processes have ended', async () => (await spool.marked()).length === 0);
  disk!.relieve();
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ ended: 'interrupt', signal: 'SIGTERM' });
  await forgotten;
  expect(await keeper.find('c2')).toBeUndefined();
});
