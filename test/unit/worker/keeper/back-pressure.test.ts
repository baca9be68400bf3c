import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { finished, readAll, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const KiB = 1024;
/** One read of the pipe may go over the limit. */
const READ_BYTES = 256 * KiB;

const LINES = 500_000;
const wanted = Buffer.from(Array.from({ length: LINES }, (_, i) => `${i + 1}\n`).join(''));

test('a command blocks while its backlog is over the limit and goes on when it is acknowledged', async () => {
  const commandBytes = 256 * KiB;
  const spool = await SpoolFixture.make({ segmentBytes: 64 * KiB, commandBytes });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', `seq 1 ${LINES}; touch done`));
  await until('it is full', async () => (await keeper.find('c1'))!.outputEnd >= commandBytes);
  const pieces: Buffer[] = [];
  let at = 0;
  await until('all is read', async () => {
    const held = (await keeper.find('c1'))!;
    // After the exit up to a MiB more is taken, so that the end need not wait for room.
    if (held.state === 'running') expect(held.outputEnd - held.outputStart).toBeLessThanOrEqual(1_300 * KiB);
    const piece = await readAll(keeper, 'c1', at);
    pieces.push(piece);
    at += piece.length;
    await keeper.acknowledge('c1', at);
    return held.state === 'finished' && at === held.outputEnd;
  });
  expect(Buffer.concat(pieces).equals(wanted)).toBe(true);
  expect((await keeper.find('c1'))!.outputStart).toBeGreaterThan(wanted.length - 65 * KiB);
  await expect(keeper.read('c1', 0, 10)).rejects.toThrow('is deleted');
});

test('a blocked command stays blocked without anybody, and its limit holds', async () => {
  const commandBytes = 128 * KiB;
  const spool = await SpoolFixture.make({ segmentBytes: 64 * KiB, commandBytes });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', `seq 1 ${LINES}`));
  let before = -1;
  await until('it stands still', async () => {
    const { outputEnd } = (await keeper.find('c1'))!;
    const stands = outputEnd >= commandBytes && outputEnd === before;
    before = outputEnd;
    await sleep(50);
    return stands;
  });
  expect(before).toBeLessThanOrEqual(commandBytes + READ_BYTES);
  await keeper.close();
  const again = await spool.open();
  await again.acknowledge('c1', commandBytes);
  await until('it goes on', async () => (await again.find('c1'))!.outputEnd > before);
});

test('the limit of all commands together holds those back that would write', async () => {
  const spool = await SpoolFixture.make({ segmentBytes: 64 * KiB, workerBytes: 1 });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'while :; do seq 1 100000; done'));
  await until('it printed', async () => (await keeper.find('c1'))!.outputEnd > 0);
  await keeper.start(spool.shell('c2', 'echo a small one ends all the same'));
  await finished(keeper, 'c2');
  expect(await keeper.find('c1')).toMatchObject({ state: 'running' });
  await keeper.interrupt('c1', 'test');
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ status: 'signalled', ended: 'interrupt' });
});

test('no output is read while the disk is fuller than it may be', async () => {
  const spool = await SpoolFixture.make({ freeBytes: Number.MAX_SAFE_INTEGER });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', `seq 1 ${LINES}`));
  await until('the first read', async () => (await keeper.find('c1'))!.outputEnd > 0);
  expect((await keeper.find('c1'))!.outputEnd).toBeLessThanOrEqual(READ_BYTES);
  expect(await keeper.find('c1')).toMatchObject({ state: 'running' });
});

test('a process in the background does not hold the command, and what it writes later is cut with a mark', async () => {
  const spool = await SpoolFixture.make({ drainMs: 200 });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', '(while :; do sleep 1; done) & echo $! > pid; echo printed; exit 4'));
  const held = await finished(keeper, 'c1');
  expect(held.outcome).toMatchObject({ status: 'exited', exitCode: 4 });
  const output = (await readAll(keeper, 'c1')).toString();
  expect(output).toMatch(/^printed\n\[trunkline: the output ends here: .*\]\n$/);
  expect(held.outputEnd).toBe(output.length);
  for (const pid of await spool.marked()) process.kill(pid, 'SIGKILL');
});
