import { truncate, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { carriesCookie, cookieOf, withCookie } from '../../../../src/worker/keeper/cookie.ts';
import { finished, printed, readAll, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

test('output that a power cut has shortened ends where it does', async () => {
  const spool = await SpoolFixture.make({ segmentBytes: 1000 });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'seq 1 1000'));
  expect((await finished(keeper, 'c1')).outputEnd).toBe(3893);
  await keeper.close();
  await truncate(join(spool.dir, 'c1', 'out.000002'), 10);
  const again = await spool.open();
  expect(await again.find('c1')).toMatchObject({ outputStart: 0, outputEnd: 2010, outcome: { status: 'exited' } });
  expect(await readAll(again, 'c1')).toHaveLength(2010);
});

test('what a power cut has damaged beside the claim does not keep a command from its end', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'echo begun; sleep 1000'));
  await printed(keeper, 'c1', 'begun');
  await writeFile(join(spool.dir, 'c1', 'process.json'), '');
  await writeFile(join(spool.dir, 'c1', 'exit.json'), '{"exitCo');
  process.kill(await spool.keeperPid('c1'), 'SIGKILL');
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ status: 'unknown' });
  expect(await spool.marked()).toEqual([]);
});

test.each(['', '{"comm', '{}'])(
  'a command whose claim a power cut has left as %j is never started anew',
  async (damage) => {
    const spool = await SpoolFixture.make();
    const keeper = await spool.open();
    const noted = spool.shell('c1', 'echo x >> starts; echo begun; sleep 1000');
    await keeper.start(noted);
    await printed(keeper, 'c1', 'begun');
    await keeper.close();
    for (const pid of [await spool.keeperPid('c1'), ...(await spool.marked())]) process.kill(pid, 'SIGKILL');
    await writeFile(join(spool.dir, 'c1', 'claim.json'), damage);
    const again = await spool.open();
    // Its seat is not known any more; a master that was told of it takes it for lost.
    expect(await again.list()).toEqual([]);
    await again.start({ ...noted, fence: 7 });
    const held = await finished(again, 'c1');
    expect(held).toMatchObject({ session: 'session-1', fence: 7, outcome: { status: 'unknown' } });
    expect(held.outcome?.message).toContain('the disk has lost what it knew of it');
    expect((await readAll(again, 'c1')).toString()).toBe('begun\n');
    expect(await readFile(join(spool.work, 'starts'), 'utf8')).toBe('x\n');
    await again.forget('c1');
    expect(await readdir(spool.dir)).not.toContain('c1');
  },
);

test('an outcome and a fence that a power cut has damaged count as not there', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'echo all; exit 3'));
  await finished(keeper, 'c1');
  await keeper.setFence('c1', 5);
  await keeper.close();
  process.kill(await spool.keeperPid('c1'), 'SIGKILL');
  for (const name of ['outcome.json', 'fence.json']) await writeFile(join(spool.dir, 'c1', name), '{"out');
  const held = await finished(await spool.open(), 'c1');
  expect(held).toMatchObject({ fence: 1, outputEnd: 4, outcome: { status: 'unknown' } });
});

test('half-made and half-removed folders are no commands, and go', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  // The number is above what the system gives.
  for (const name of ['.new-4194999-00', '.gone-00']) await mkdir(join(spool.dir, name));
  await writeFile(join(spool.dir, '.pipe-4194999.3'), '');
  expect(await keeper.list()).toEqual([]);
  await keeper.close();
  await spool.open();
  expect((await readdir(spool.dir)).filter((name) => /^\.(new|gone|pipe)/.test(name))).toEqual([]);
});

test('the bytes on disk are counted and fall with what is acknowledged and forgotten', async () => {
  const spool = await SpoolFixture.make({ segmentBytes: 1000 });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'seq 1 1000'));
  await finished(keeper, 'c1');
  await until('all is counted', () => keeper.spoolBytes() === 3893);
  await keeper.acknowledge('c1', 2999);
  expect(keeper.spoolBytes()).toBe(1893);
  expect(await keeper.find('c1')).toMatchObject({ outputStart: 2000, outputEnd: 3893 });
  await keeper.acknowledge('c1', 3893);
  expect(await keeper.find('c1')).toMatchObject({ outputStart: 3000, outputEnd: 3893 });
  await keeper.forget('c1');
  expect(keeper.spoolBytes()).toBe(0);
});

test('a spool deep down, where no socket path fits, works as well', async () => {
  const spool = await SpoolFixture.make({}, `deep-${'x'.repeat(100)}/${'y'.repeat(100)}`);
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'echo deep'));
  await finished(keeper, 'c1');
  await keeper.close();
  expect(await readAll(await spool.open(), 'c1')).toHaveLength(5);
});

test('a cookie is known by the whole of it, also beside that of a command around it', async () => {
  const spool = await SpoolFixture.make();
  await spool.open();
  const cookie = cookieOf(spool.dir, 'b1.2');
  const environ = (env: Record<string, string>): Buffer =>
    Buffer.from(
      Object.entries(env)
        .map(([name, value]) => `${name}=${value}\0`)
        .join(''),
    );
  const inner = withCookie({ A: 'b' }, 'b1.2', cookie);
  expect(carriesCookie(environ(inner), cookie)).toBe(true);
  expect(carriesCookie(environ(inner), cookieOf(spool.dir, 'b1'))).toBe(false);
  expect(carriesCookie(environ({ NOTE: `TRUNKLINE_COOKIES=${cookie}` }), cookie)).toBe(false);
  vi.stubEnv('TRUNKLINE_COOKIES', 'outer/c0');
  const both = environ(withCookie({}, 'b1.2', cookie));
  vi.unstubAllEnvs();
  expect(carriesCookie(both, cookie) && carriesCookie(both, 'outer/c0')).toBe(true);
});
