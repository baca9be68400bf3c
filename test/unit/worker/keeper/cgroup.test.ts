import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { findCgroupBase, membersOf } from '../../../../src/worker/keeper/cgroup.ts';
import { finished, isRunning, printed, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const found = findCgroupBase();
const base = 'base' in found ? found.base : '';
if ('why' in found) process.stderr.write(`skipped: cgroups of commands: ${found.why}\n`);

interface Claim {
  readonly cgroup: string;
  readonly keeper: { readonly pid: number };
}

function claimOf(spool: SpoolFixture, command: string): Claim {
  return JSON.parse(readFileSync(join(spool.dir, command, 'claim.json'), 'utf8')) as Claim;
}

/** A process that has nothing of its command: no parent, session, group, environment or pipe. It notes its pid. */
const ESCAPE = (file: string): string =>
  `(env -i setsid /bin/sh -c 'echo $$ > ${file}; exec sleep 1000' > /dev/null 2>&1 &)`;

async function escaped(file: string): Promise<number> {
  return await until('it has escaped', () => existsSync(file) && Number(readFileSync(file, 'utf8')));
}

describe.skipIf('why' in found)('a cgroup for each command', () => {
  test('nothing escapes an end', async () => {
    const spool = await SpoolFixture.make();
    const keeper = await spool.open();
    const file = join(spool.work, 'pid');
    await keeper.start(spool.shell('c1', `${ESCAPE(file)}; sleep 1000`, { killAfterMs: 50 }));
    const pid = await escaped(file);
    const { cgroup } = claimOf(spool, 'c1');
    expect(membersOf(cgroup)).toContain(pid);
    await keeper.interrupt('c1', 'test');
    expect((await finished(keeper, 'c1')).outcome).toMatchObject({ ended: 'interrupt' });
    expect(await isRunning(pid)).toBe(false);
    await until('the cgroup is removed', () => !existsSync(cgroup));
  });

  test('nor the end of a command whose keeper was killed', async () => {
    const spool = await SpoolFixture.make();
    const first = await spool.open();
    const file = join(spool.work, 'pid');
    await first.start(spool.shell('c1', `${ESCAPE(file)}; sleep 1000`));
    const pid = await escaped(file);
    const claim = claimOf(spool, 'c1');
    await first.close();
    process.kill(claim.keeper.pid, 'SIGKILL');
    await until('the keeper is gone', async () => !(await isRunning(claim.keeper.pid)));
    const second = await spool.open();
    expect((await finished(second, 'c1')).outcome).toMatchObject({ status: 'unknown' });
    expect(await isRunning(pid)).toBe(false);
    expect(existsSync(claim.cgroup)).toBe(false);
    // What else the dead one left goes with the start of the next.
    await second.start(spool.shell('c2', 'true'));
    await finished(second, 'c2');
    expect(existsSync(dirname(claim.cgroup))).toBe(false);
  });

  test('who is left by a command that ended by itself may stay, and his cgroup as long as he', async () => {
    const spool = await SpoolFixture.make();
    const keeper = await spool.open();
    const file = join(spool.work, 'pid');
    await keeper.start(spool.shell('c1', `${ESCAPE(file)}; while [ ! -s ${file} ]; do sleep 0.01; done`));
    const pid = await escaped(file);
    expect((await finished(keeper, 'c1')).outcome).toMatchObject({ status: 'exited', exitCode: 0 });
    const { cgroup } = claimOf(spool, 'c1');
    await until('nobody else is in it', () => membersOf(cgroup).size === 1 && membersOf(cgroup).has(pid));
    expect(await isRunning(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await until('the cgroup is removed', () => !existsSync(cgroup));
  });

  test('many that are started at once have each their own, and all are ended', async () => {
    const spool = await SpoolFixture.make();
    const keeper = await spool.open();
    const names = Array.from({ length: 24 }, (_, n) => `c${n}`);
    await Promise.all(names.map((name) => keeper.start(spool.shell(name, 'sleep 1000', { killAfterMs: 0 }))));
    const claims = names.map((name) => claimOf(spool, name));
    expect(new Set(claims.map(({ cgroup }) => cgroup)).size).toBe(names.length);
    for (const { cgroup, keeper: own } of claims) {
      await until(
        'the keeper has left, the command is there',
        () => membersOf(cgroup).size > 0 && !membersOf(cgroup).has(own.pid),
      );
    }
    await Promise.all(names.map((name) => keeper.interrupt(name, 'test')));
    for (const name of names) expect((await finished(keeper, name)).outcome).toMatchObject({ signal: 'SIGKILL' });
    const dir = dirname(claims[0]?.cgroup ?? '');
    await until('only the cgroup that the keeper sits in is left', () => cgroupsIn(dir).length === 1);
  });

  test('a command whose cgroup has a threaded one below is ended all the same, also when its keeper was killed', async () => {
    const spool = await SpoolFixture.make();
    const keeper = await spool.open();
    const below = `${base}/$(grep -o 'trunkline-.*' /proc/self/cgroup)/below`;
    const script = `mkdir ${below}; echo threaded > ${below}/cgroup.type; cat ${below}/cgroup.type; sleep 1000`;
    for (const name of ['c1', 'c2']) {
      await keeper.start(spool.shell(name, script, { killAfterMs: 50 }));
      await printed(keeper, name, 'threaded');
    }
    await keeper.interrupt('c1', 'test');
    const { outcome } = await finished(keeper, 'c1');
    expect(outcome).toMatchObject({ status: 'signalled', ended: 'interrupt' });
    expect(outcome).not.toHaveProperty('message');
    process.kill(await spool.keeperPid('c2'), 'SIGKILL');
    expect((await finished(keeper, 'c2')).outcome).toMatchObject({ status: 'unknown' });
    expect(await spool.marked()).toEqual([]);
  });

  test('a claim that names a cgroup of others is not believed', async () => {
    const spool = await SpoolFixture.make();
    const first = await spool.open();
    await first.start(spool.shell('c1', 'sleep 1000'));
    const claim = claimOf(spool, 'c1');
    await first.close();
    process.kill(claim.keeper.pid, 'SIGKILL');
    await writeFile(join(spool.dir, 'c1', 'claim.json'), JSON.stringify({ ...claim, cgroup: base }));
    const second = await spool.open();
    expect((await finished(second, 'c1')).outcome).toMatchObject({ status: 'unknown' });
    expect(await spool.marked()).toEqual([]);
  });
});

function cgroupsIn(dir: string): readonly string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}
