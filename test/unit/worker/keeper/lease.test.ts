import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { momentOf } from '../../../../src/base/moment.ts';
import type { Moment } from '../../../../src/base/moment.ts';
import { finished, printed, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const DAEMON = fileURLToPath(new URL('../../../../dist/test/unit/worker/keeper/daemon-main.js', import.meta.url));
const HOUR_MS = 3_600_000;
const PING_MS = 100;
const FOR_EVER = 'echo begun; sleep 1000';

/** So long ago by each of the clocks. */
function ago(bootMs: number, wallMs: number): Moment {
  const now = momentOf(systemClock);
  return { bootMs: now.bootMs - bootMs, wallMs: now.wallMs - wallMs };
}

test('out of sight for longer than its lease a command is ended, and only that one', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  keeper.seen(ago(0, 0), PING_MS);
  await keeper.start(spool.shell('long', FOR_EVER, { leaseMs: HOUR_MS }));
  await keeper.start(spool.shell('none', FOR_EVER));
  await keeper.start(spool.shell('quick', 'exit 3', { leaseMs: 1_000 }));
  await keeper.start(spool.shell('short', FOR_EVER, { leaseMs: 1_000 }));
  const { outcome } = await finished(keeper, 'short');
  expect(outcome).toMatchObject({ status: 'signalled', signal: 'SIGTERM', ended: 'deadline' });
  expect(outcome?.message).toMatch(/out of the master's sight for \d+\.\d s, longer than its lease of 1\.0 s/);
  const quick = await keeper.find('quick');
  expect(quick?.outcome).toMatchObject({ status: 'exited', exitCode: 3 });
  expect(quick?.outcome).not.toHaveProperty('ended');
  for (const command of ['long', 'none']) expect(await keeper.find(command)).toMatchObject({ state: 'running' });
});

for (const [how, signal] of [
  ['was killed', 'SIGKILL'],
  ['stands still', 'SIGSTOP'],
] as const) {
  test(`a lease is renewed by the daemon's sight, and ends the command when the daemon ${how}`, async () => {
    const spool = await SpoolFixture.make();
    const spec = spool.shell('c1', 'sleep 6; echo later; sleep 1000', { leaseMs: 4_000 });
    const daemon = spawn(process.execPath, [DAEMON, spool.dir, JSON.stringify(spec)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void daemon.kill('SIGKILL'));
    await once(daemon.stdout, 'data');
    const output = join(spool.dir, 'c1', 'out.000000');
    await until('it prints', async () => (await readFile(output, 'utf8').catch(() => '')).includes('later'));
    daemon.kill(signal);
    // As long as a daemon lives, be it stopped, no other one may look at the spool.
    const outcome = join(spool.dir, 'c1', 'outcome.json');
    await until('the outcome is there', () => existsSync(outcome));
    expect(await spool.marked()).toEqual([]);
    expect(JSON.parse(await readFile(outcome, 'utf8'))).toMatchObject({ outcome: { ended: 'deadline' } });
  });
}

test('whatever clock says that the lease is over, it is; the wall clock alone, if no ping is answered then', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  // The machine slept, and its wall clock does not know; the wall clock was set forward; it was set back.
  for (const [command, sight] of [
    ['slept', ago(2 * HOUR_MS, 0)],
    ['forward', ago(0, 2 * HOUR_MS)],
    ['back', ago(2 * HOUR_MS, -2 * HOUR_MS)],
  ] as const) {
    keeper.seen(ago(0, 0), PING_MS);
    await keeper.start(spool.shell(command, FOR_EVER, { leaseMs: HOUR_MS }));
    await printed(keeper, command, 'begun');
    keeper.seen(sight, PING_MS);
    expect((await finished(keeper, command)).outcome).toMatchObject({ ended: 'deadline' });
  }
});

test('a step of the wall clock ends nothing while the master sees the worker', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  keeper.seen(ago(0, 0), PING_MS);
  await keeper.start(spool.shell('c1', FOR_EVER, { leaseMs: HOUR_MS }));
  await keeper.start(spool.shell('control', FOR_EVER, { totalMs: 14_000 }));
  // As if the clock was set forward again and again just after a ping was sent.
  const seen = setInterval(() => keeper.seen(ago(0, 2 * HOUR_MS), PING_MS), PING_MS);
  onTestFinished(() => clearInterval(seen));
  await finished(keeper, 'control');
  expect(await keeper.find('c1')).toMatchObject({ state: 'running' });
});

test('a start that comes when the lease is over runs nothing', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  keeper.seen(ago(HOUR_MS, HOUR_MS), PING_MS);
  await keeper.start(spool.shell('late', 'echo ran > ran', { leaseMs: HOUR_MS / 2 }));
  const { outcome } = await finished(keeper, 'late');
  expect(outcome).toMatchObject({ status: 'refused', ended: 'deadline' });
  expect(outcome?.message).toContain('sight');
  await keeper.start(spool.shell('in-time', 'echo ran > ran-in-time', { leaseMs: 2 * HOUR_MS }));
  expect((await finished(keeper, 'in-time')).outcome).toMatchObject({ exitCode: 0 });
  expect(existsSync(join(spool.work, 'ran-in-time'))).toBe(true);
  expect(existsSync(join(spool.work, 'ran'))).toBe(false);
});

for (const [how, content] of [
  ['missing', undefined],
  ['damaged', '{"bootId":"'],
  ['of another boot', JSON.stringify({ bootId: 'another', ...ago(HOUR_MS, HOUR_MS), pingMs: PING_MS })],
] as const) {
  test(`when the file of the last sight is ${how} the lease counts from the claim`, async () => {
    const spool = await SpoolFixture.make();
    const keeper = await spool.open();
    if (content !== undefined) await writeFile(join(spool.dir, '.sight.json'), content);
    await keeper.start(spool.shell('c1', FOR_EVER, { leaseMs: 1_500 }));
    await printed(keeper, 'c1', 'begun');
    expect((await finished(keeper, 'c1')).outcome).toMatchObject({ status: 'signalled', ended: 'deadline' });
  });
}

test('a lease can be changed, taken away, and for a while be at least so long', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  keeper.seen(ago(0, 0), PING_MS);
  await keeper.raiseLeastLease(HOUR_MS);
  // Not to make it shorter again.
  await keeper.raiseLeastLease(1);
  for (const command of ['raised', 'freed']) {
    await keeper.start(spool.shell(command, FOR_EVER, { leaseMs: 1_000 }));
  }
  await keeper.start(spool.shell('control', FOR_EVER, { totalMs: 2_500 }));
  await finished(keeper, 'control');
  for (const { command, state } of await keeper.list()) if (command !== 'control') expect(state).toBe('running');
  await keeper.setLease('freed', undefined);
  await keeper.dropLeastLease();
  expect((await finished(keeper, 'raised')).outcome).toMatchObject({ ended: 'deadline' });
  expect(await keeper.find('freed')).toMatchObject({ state: 'running' });
  // What the next daemon and a running keeper find is the same.
  await keeper.setLease('freed', HOUR_MS);
  const next = await spool.open();
  await next.setLease('freed', 1);
  expect((await finished(next, 'freed')).outcome).toMatchObject({ ended: 'deadline' });
});

test('who ignores TERM is killed soon, however long its own grace is and though it is being ended already', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  keeper.seen(ago(0, 0), PING_MS);
  const deaf = 'trap "" TERM; setsid sh -c \'trap "" TERM; echo begun; while :; do sleep 0.1; done\'; :';
  await keeper.start(spool.shell('c1', deaf, { killAfterMs: HOUR_MS, leaseMs: 2_000 }));
  await keeper.start(spool.shell('c2', deaf, { killAfterMs: HOUR_MS, leaseMs: 2_000 }));
  await printed(keeper, 'c1', 'begun');
  await printed(keeper, 'c2', 'begun');
  await keeper.interrupt('c2', 'a person asked for it');
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ signal: 'SIGKILL', ended: 'deadline' });
  expect((await finished(keeper, 'c2')).outcome).toMatchObject({ signal: 'SIGKILL', ended: 'interrupt' });
  expect(await spool.marked()).toEqual([]);
});
