import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { finished, isRunning, readAll, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

test('stdout and stderr come in the order they were written, also through /dev/stdout', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(
    spool.shell('c1', 'echo one; echo two >&2; echo three > /dev/stdout; echo four > /dev/stderr; exit 3'),
  );
  const held = await finished(keeper, 'c1');
  expect(held).toMatchObject({ session: 'session-1', fence: 1, outputStart: 0, outputEnd: 19 });
  expect(held.outcome).toMatchObject({ status: 'exited', exitCode: 3 });
  expect(held.outcome!.endedAtMs).toBeGreaterThanOrEqual(held.outcome!.startedAtMs);
  expect((await readAll(keeper, 'c1')).toString()).toBe('one\ntwo\nthree\nfour\n');
});

test('the end of a command is told, also of one without output', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  const told: string[] = [];
  keeper.onProgress((command) => told.push(command));
  await keeper.start(spool.spec('quiet', ['true']));
  await until(
    'the end is told',
    async () => told.includes('quiet') && (await keeper.find('quiet'))?.state === 'finished',
  );
});

test('a signal, the environment, the folder and the input are the command own', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await mkdir(join(spool.work, 'there'));
  const script = 'pwd; cat; echo "$WORD $TRUNKLINE_COMMAND ${HOME-none}"; kill -KILL $$';
  const { env } = spool.shell('c1', '');
  const stdin = Buffer.from('input \0 of bytes\n');
  await keeper.start(
    spool.shell('c1', script, { cwd: join(spool.work, 'there'), stdin, env: { ...env, WORD: 'hello' } }),
  );
  expect((await finished(keeper, 'c1')).outcome).toMatchObject({ status: 'signalled', signal: 'SIGKILL' });
  expect((await readAll(keeper, 'c1')).toString()).toBe(`${spool.work}/there\ninput \0 of bytes\nhello c1 none\n`);
  await keeper.start(spool.spec('c2', ['cat']));
  expect((await finished(keeper, 'c2')).outcome).toMatchObject({ status: 'exited', exitCode: 0 });
});

test('what cannot be started is refused with its name', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await writeFile(join(spool.work, 'plain'), 'no program');
  await writeFile(join(spool.work, 'script'), '#!/no/such/interpreter\n', { mode: 0o755 });
  const cases = [
    [spool.spec('r1', ['no-such-program-at-all']), /no such program: no-such-program-at-all.*PATH=/],
    [spool.spec('r2', [join(spool.work, 'plain')]), /plain may not be executed: permission denied/],
    [spool.spec('r3', ['true'], { cwd: join(spool.work, 'gone') }), /working folder .*gone is not there/],
    [spool.spec('r4', ['true'], { cwd: join(spool.work, 'plain') }), /working folder .*plain is not a folder/],
    [spool.spec('r5', [join(spool.work, 'script')]), /no such program: .*script \(or the interpreter/],
    [spool.spec('r6', ['true', 'a'.repeat(300_000)]), /too long/],
    [spool.spec('r7', []), /no program/],
    [spool.spec('r8', ['true', 'nul \0 inside']), /could not start true/],
  ] as const;
  for (const [spec, message] of cases) {
    await keeper.start(spec);
    const held = await keeper.find(spec.command);
    expect(held).toMatchObject({ state: 'finished', outputEnd: 0, outcome: { status: 'refused' } });
    expect(held!.outcome!.message).toMatch(message);
    expect(held!.outcome!.startedAtMs).toBeGreaterThan(0);
  }
});

test('a big output arrives byte by byte while its segments are acknowledged', async () => {
  const spool = await SpoolFixture.make({ segmentBytes: 1024 * 1024, commandBytes: 4 * 1024 * 1024 });
  const keeper = await spool.open();
  const program = `
    const { createHash } = require('node:crypto'), { writeSync, writeFileSync } = require('node:fs');
    const hash = createHash('sha256');
    for (let i = 0; i < 500; i++) {
      const piece = Buffer.alloc(65537, createHash('sha512').update(String(i)).digest());
      hash.update(piece);
      for (let at = 0; at < piece.length;) at += writeSync(1, piece, at);
    }
    writeFileSync('hash', hash.digest('hex'));`;
  await keeper.start(spool.spec('big', [process.execPath, '-e', program]));
  const hash = createHash('sha256');
  let at = 0;
  await until('all is read', async () => {
    const piece = await keeper.read('big', at, 300_000);
    hash.update(piece);
    at += piece.byteLength;
    await keeper.acknowledge('big', at);
    const held = await keeper.find('big');
    return held?.state === 'finished' && held.outputEnd === at;
  });
  expect(at).toBe(500 * 65_537);
  expect(hash.digest('hex')).toBe(await readFile(join(spool.work, 'hash'), 'utf8'));
  expect(keeper.spoolBytes()).toBeLessThan(1024 * 1024);
});

test('one id starts once, whoever asks how often', async () => {
  const spool = await SpoolFixture.make();
  const one = await spool.open();
  const two = await spool.open();
  const spec = spool.shell('once', 'echo started >> starts; echo $$');
  await Promise.all([one, two, one, two, one].map((keeper) => keeper.start(spec)));
  await finished(one, 'once');
  await two.start(spec);
  await (await spool.open()).start(spec);
  expect(await readFile(join(spool.work, 'starts'), 'utf8')).toBe('started\n');
});

test('forgotten, a finished command leaves nothing, and its id may be used anew', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'echo first'));
  await finished(keeper, 'c1');
  await keeper.forget('c1');
  expect(await keeper.find('c1')).toBeUndefined();
  expect(await keeper.list()).toEqual([]);
  expect(await readAll(keeper, 'c1')).toHaveLength(0);
  await keeper.forget('c1');
  await keeper.start(spool.shell('c1', 'echo second'));
  await finished(keeper, 'c1');
  expect((await readAll(keeper, 'c1')).toString()).toBe('second\n');
});

test('a keeper that nobody talks to leaves after its last command', async () => {
  const spool = await SpoolFixture.make();
  const keeper = await spool.open();
  await keeper.start(spool.shell('c1', 'read line; echo "$line"'));
  await finished(keeper, 'c1');
  const pid = await spool.keeperPid('c1');
  expect(await isRunning(pid)).toBe(true);
  await keeper.close();
  await until('the keeper left', async () => !(await isRunning(pid)));
});
