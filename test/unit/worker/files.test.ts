import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { MemoryFaults } from '../../../src/transport/memory-carrier.ts';
import { until } from '../../support/until.ts';
import { sha256Of } from './scripted-master.ts';
import { TryWorker } from './try-worker.ts';

// Real processes on a machine that may be busy: only a hang takes so long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let it: TryWorker;
beforeEach(async () => {
  it = await TryWorker.create();
  it.master.seat('s1', 'p/b');
  await mkdir(it.work('p', 'b'), { recursive: true });
});
afterEach(() => it.close());

test('a file is put whole with its mode, and an empty one too', async () => {
  const body = randomBytes(1_500_000);
  const put = it.master.put('u.1.1', 's1', 'deep/er/file.bin', body);
  const empty = it.master.put('u.1.2', 's1', 'empty', Buffer.alloc(0));
  await it.start();
  expect(await it.master.end(put)).toMatchObject({ status: 'done', facts: { sha256: sha256Of(body) } });
  expect(await it.master.end(empty)).toMatchObject({ status: 'done' });
  expect(sha256Of(await readFile(it.work('p', 'b', 'deep/er/file.bin')))).toBe(sha256Of(body));
  expect((await stat(it.work('p', 'b', 'deep/er/file.bin'))).mode & 0o777).toBe(0o640);
  expect(await readdir(it.work('p', 'b', 'deep/er'))).toEqual(['file.bin']);
  expect((await stat(it.work('p', 'b', 'empty'))).size).toBe(0);
});

test('a put goes on where it was when the line is cut and the daemon restarted', async () => {
  const body = randomBytes(3_000_000);
  const cuts = [700_000, 900_000];
  it.master.onLine = (faults) => {
    const bytes = cuts.shift();
    if (bytes !== undefined) faults.cutAfter('master', bytes);
  };
  const put = it.master.put('u.1.1', 's1', 'file.bin', body);
  await it.start();
  await until('it was pulled again', () => it.master.heardOf('file.pull').length >= 2);
  await it.restart();
  expect(await it.master.end(put)).toMatchObject({ status: 'done' });
  expect(sha256Of(await readFile(it.work('p', 'b', 'file.bin')))).toBe(sha256Of(body));
  expect(it.master.heardOf('file.pull').at(-1)?.offset).toBeGreaterThan(0);
});

test('a part of doubtful origin is found by its hash, and pulled once more', async () => {
  const body = randomBytes(400_000);
  const lines: ((faults: MemoryFaults) => void)[] = [
    (faults) => faults.cutAfter('master', 200_000),
    // Nobody answers until the part is spoiled.
    ...Array.from({ length: 100 }, () => (faults: MemoryFaults) => faults.stall('master')),
  ];
  it.master.onLine = (faults) => lines.shift()?.(faults);
  const put = it.master.put('u.1.1', 's1', 'file.bin', body);
  await it.start();
  await until('the first line was cut', () => it.master.lines > 1);
  await it.worker?.stop();
  const [part = ''] = await readdir(it.work('p', 'b'));
  expect(part.endsWith('.part')).toBe(true);
  await writeFile(it.work('p', 'b', part), randomBytes(100_000));
  it.master.onLine = () => undefined;
  await it.start();
  expect(await it.master.end(put)).toMatchObject({ status: 'done' });
  expect(sha256Of(await readFile(it.work('p', 'b', 'file.bin')))).toBe(sha256Of(body));
});

test('a put of bytes that do not have the hash announced is refused, and leaves nothing', async () => {
  const body = randomBytes(10_000);
  const spec = { kind: 'put', path: 'file.bin', size: body.byteLength, sha256: '0'.repeat(64) } as const;
  const put = it.master.order('u.1.1', 's1', spec, body);
  await it.start();
  expect(await it.master.end(put)).toMatchObject({ status: 'refused' });
  expect(await readdir(it.work('p', 'b'))).toEqual([]);
});

test('a file is got whole though the line is cut, and no further than it may be', async () => {
  const body = randomBytes(2_500_000);
  await writeFile(it.work('p', 'b', 'out.bin'), body);
  const cuts = [600_000, 1_000_000];
  it.master.onLine = (faults) => {
    const bytes = cuts.shift();
    if (bytes !== undefined) faults.cutAfter('worker', bytes);
  };
  const get = it.master.order('u.1.1', 's1', { kind: 'get', path: 'out.bin' });
  await it.start();
  expect(await it.master.end(get)).toMatchObject({
    status: 'done',
    facts: { size: '2500000', sha256: sha256Of(body) },
  });
  expect(sha256Of(get.body)).toBe(sha256Of(body));
  const big = it.master.order('u.1.2', 's1', { kind: 'get', path: 'out.bin', maxBytes: 1_000 });
  expect((await it.master.end(big)).message).toContain('at most 1000');
  const none = it.master.order('u.1.3', 's1', { kind: 'get', path: 'nothing' });
  expect(await it.master.end(none)).toMatchObject({ status: 'refused' });
  const folder = it.master.order('u.1.4', 's1', { kind: 'get', path: '.' });
  expect(await it.master.end(folder)).toMatchObject({ status: 'refused' });
});

test('a get that waits for the master is ended by an interrupt', async () => {
  await writeFile(it.work('p', 'b', 'out.bin'), randomBytes(1_000));
  it.master.isDeaf = true;
  const get = it.master.order('u.1.1', 's1', { kind: 'get', path: 'out.bin' });
  await it.start();
  await until('it is under way', () => it.master.heardOf('file.push').length > 0);
  it.master.link?.send('command.interrupt', 's1', { command: 'u.1.1', fence: 1, reason: 'enough' });
  expect(await it.master.end(get)).toMatchObject({ status: 'refused', ended: 'interrupt', message: 'enough' });
});

test('folders are made and removed inside the session’s folder only', async () => {
  await mkdir(it.work('p', 'other'), { recursive: true });
  await writeFile(it.work('p', 'other', 'keep'), 'x');
  await symlink('../other', it.work('p', 'b', 'link'));
  const made = it.master.order('u.1.1', 's1', { kind: 'mkdir', path: 'a/b/c' });
  const again = it.master.order('u.1.2', 's1', { kind: 'mkdir', path: 'a/b/c' });
  const through = it.master.order('u.1.3', 's1', { kind: 'mkdir', path: 'link/x' });
  const up = it.master.order('u.1.4', 's1', { kind: 'remove', path: 'a/../../other' });
  const into = it.master.order('u.1.5', 's1', { kind: 'remove', path: 'link/keep' });
  const all = it.master.order('u.1.6', 's1', { kind: 'remove', path: '.' });
  const absent = it.master.order('u.1.7', 's1', { kind: 'remove', path: 'absent' });
  await it.start();
  for (const ordered of [made, again, absent]) expect(await it.master.end(ordered)).toMatchObject({ status: 'done' });
  for (const ordered of [through, up, into, all])
    expect(await it.master.end(ordered)).toMatchObject({ status: 'refused' });
  // The link itself may go; what it points to stays.
  const link = it.master.order('u.1.8', 's1', { kind: 'remove', path: 'link' });
  expect(await it.master.end(link)).toMatchObject({ status: 'done' });
  const tree = it.master.order('u.1.9', 's1', { kind: 'remove', path: 'a' });
  expect(await it.master.end(tree)).toMatchObject({ status: 'done' });
  expect(await readdir(it.work('p', 'b'))).toEqual([]);
  expect(await readFile(it.work('p', 'other', 'keep'), 'utf8')).toBe('x');
});

test('outcomes of file operations are told again after a restart until they are forgotten', async () => {
  const made = it.master.order('u.1.1', 's1', { kind: 'mkdir', path: 'a' });
  await it.start();
  await it.master.end(made);
  await rm(it.work('p', 'b', 'a'), { recursive: true });
  made.outcome = undefined;
  await it.restart();
  expect(await it.master.end(made)).toMatchObject({ status: 'done' });
  // It was not done again.
  expect(await readdir(it.work('p', 'b'))).toEqual([]);
  it.master.forget('u.1.1');
  await until('the record is gone', async () => (await readdir(`${it.dir}/state/files`)).length === 0);
});
