import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { finished, isRunning, printed, readAll, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

test('an interrupt is a TERM that the command may answer', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'trap "echo bye; exit 7" TERM; echo ready; while :; do sleep 0.1; done'));
  await printed(keeper, 'c1', 'ready');
  await keeper.interrupt('c1', 'a person asked for it');
  const held = await finished(keeper, 'c1');
  expect(held.outcome).toMatchObject({ status: 'exited', exitCode: 7, ended: 'interrupt' });
  expect((await readAll(keeper, 'c1')).toString()).toMatch(/bye\n$/);
  await keeper.interrupt('c1', 'too late');
  await keeper.interrupt('never-was', 'nothing to do');
});

test('TERM is sent once, not again for impatience', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  const program = `
    let times = 0;
    process.on('SIGTERM', () => { console.log('asked', ++times); setTimeout(process.exit, 300, 9); });
    setInterval(() => {}, 1000);
    console.log('ready');`;
  await keeper.start(spool.spec('c1', [process.execPath, '-e', program]));
  await printed(keeper, 'c1', 'ready');
  await keeper.interrupt('c1', 'test');
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ exitCode: 9, ended: 'interrupt' });
  expect((await readAll(keeper, 'c1')).toString()).toBe('ready\nasked 1\n');
});

test('who ignores TERM is killed', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  const script = 'trap "" TERM; echo ready; while :; do sleep 0.1; done';
  await keeper.start(spool.shell('c1', script, { killAfterMs: 100 }));
  await printed(keeper, 'c1', 'ready');
  await keeper.interrupt('c1', 'test');
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ signal: 'SIGKILL', ended: 'interrupt' });
  expect(await spool.marked()).toEqual([]);
});

test('silence and the whole time are limited, each by its name', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('silent', 'echo once; sleep 1000', { silenceMs: 300 }));
  await keeper.start(spool.shell('total', 'while :; do echo again; sleep 0.05; done', { totalMs: 300 }));
  expect((await finished(keeper, 'silent')).outcome).toMatchObject({ status: 'signalled', ended: 'silence' });
  expect((await finished(keeper, 'total')).outcome).toMatchObject({ status: 'signalled', ended: 'total' });
  expect(await spool.marked()).toEqual([]);
});

test('processes that left the group, the session and their parents are ended as well', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  const script = `
    setsid sh -c 'trap "" TERM; echo A; while :; do sleep 0.1; done' &
    (setsid sh -c '(sleep 1000 & echo B; sleep 1000) &' &)
    timeout 1000 sh -c 'echo C; sleep 1000' &
    env -i /bin/sh -c 'echo D; sleep 1000; :' &
    sh -c 'kill -STOP $$; :' &
    wait`;
  await keeper.start(spool.shell('c1', script, { killAfterMs: 50 }));
  for (const letter of 'ABCD') await printed(keeper, 'c1', letter);
  expect((await spool.marked()).length).toBeGreaterThan(3);
  await keeper.interrupt('c1', 'test');
  await finished(keeper, 'c1');
  expect(await spool.marked()).toEqual([]);
  // They held the pipe: had one survived, the output would end with a mark.
  expect((await readAll(keeper, 'c1')).toString()).not.toContain('[trunkline');
});

test('a tree that keeps forking is ended as well', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  // Each process lives for a moment and leaves one child, in a session of its own with every second one.
  const program = join(spool.work, 'fork.sh');
  await writeFile(
    program,
    `#!/bin/sh
trap "" TERM
if [ "$2" = far ]; then setsid "$0" "$1" near & else "$0" "$1" far & fi
[ -e "up$1" ] || : > "up$1"
`,
    { mode: 0o755 },
  );
  await keeper.start(
    spool.shell('c1', `for n in 1 2 3 4; do ${program} $n near & done; sleep 1000`, { killAfterMs: 0 }),
  );
  await until('all chains run', () => [1, 2, 3, 4].every((n) => existsSync(join(spool.work, `up${n}`))));
  await keeper.interrupt('c1', 'test');
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ status: 'signalled', ended: 'interrupt' });
  await until('nobody is left', async () => (await spool.marked()).length === 0);
  for (let look = 0; look < 10; look++) expect(await spool.marked()).toEqual([]);
  // Whoever survived would make these anew.
  for (const n of [1, 2, 3, 4]) await rm(join(spool.work, `up${n}`));
  for (let look = 0; look < 10; look++) {
    expect(await spool.marked()).toEqual([]);
    for (const n of [1, 2, 3, 4]) expect(existsSync(join(spool.work, `up${n}`))).toBe(false);
  }
});

test('forgotten while it runs, it is killed without waiting for its grace, and its folder is gone', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  const script = 'trap "" TERM; echo ready; while :; do sleep 0.1; done';
  // The grace is longer than the test may take.
  await keeper.start(spool.shell('c1', script, { killAfterMs: 3_600_000 }));
  await printed(keeper, 'c1', 'ready');
  await keeper.interrupt('c1', 'first politely');
  await keeper.forget('c1');
  expect(await keeper.list()).toEqual([]);
  expect(existsSync(join(spool.dir, 'c1'))).toBe(false);
  expect(await spool.marked()).toEqual([]);
});

test('a keeper that was stopped for longer than a command may be silent reads what it wrote meanwhile', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  const script = 'while [ ! -e go ]; do echo again; sleep 0.05; done; echo over';
  await keeper.start(spool.shell('c1', script, { silenceMs: 1_000 }));
  await printed(keeper, 'c1', 'again');
  const pid = await spool.keeperPid('c1');
  process.kill(pid, 'SIGSTOP');
  await sleep(2_000);
  process.kill(pid, 'SIGCONT');
  const { outputEnd } = (await keeper.find('c1'))!;
  await until('it is read on', async () => (await keeper.find('c1'))!.outputEnd > outputEnd);
  await writeFile(join(spool.work, 'go'), '');
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ status: 'exited', exitCode: 0 });
  expect((await readAll(keeper, 'c1')).toString()).toMatch(/^(again\n)+over\n$/);
});

test('what cannot be ended is named, and the command is not dropped before it is gone', async () => {
  // No time at all to die after KILL: what ignores TERM is stopped, and left.
  const spool = await SpoolFixture.make({ endMs: 0, drainMs: 100 });
  const keeper = await spool.open();
  const script = `setsid sh -c 'trap "" TERM; echo $$ > pid; exec sleep 1000' & until [ -s pid ]; do sleep 0.1; done; echo ready; wait`;
  await keeper.start(spool.shell('c1', script, { killAfterMs: 500 }));
  await printed(keeper, 'c1', 'ready');
  const pid = Number(await readFile(join(spool.work, 'pid'), 'utf8'));
  await keeper.interrupt('c1', 'test');
  const { outcome } = await finished(keeper, 'c1');
  expect(outcome).toMatchObject({ signal: 'SIGTERM', ended: 'interrupt' });
  expect(outcome?.message).toContain(`these processes could not be ended: ${pid}`);
  expect(keeper.pidsOf('c1')).toEqual([pid]);
  let isForgotten = false;
  const forgotten = keeper.forget('c1').then(() => (isForgotten = true));
  await keeper.start(spool.shell('c2', 'sleep 1.5'));
  await finished(keeper, 'c2');
  expect(isForgotten).toBe(false);
  expect(await isRunning(pid)).toBe(true);
  process.kill(pid, 'SIGKILL');
  await forgotten;
  expect(existsSync(join(spool.dir, 'c1'))).toBe(false);
});
