import { chmod, mkdir, readFile, readdir, readlink, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { until } from '../../support/until.ts';
import type { CommandSpec, Outcome } from '../../../src/protocol/messages.ts';
import { partPath } from '../../../src/worker/files/part-file.ts';
import { TryWorker } from './try-worker.ts';

// Real processes on a machine that may be busy: only a hang takes so long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let it: TryWorker;
let commands: number;
beforeEach(async () => {
  it = await TryWorker.create();
  it.master.seat('s1', 'p/b');
  await mkdir(it.work('p', 'b'), { recursive: true });
  await it.start();
  commands = 0;
});
afterEach(() => it.close());

const here = (...names: string[]): string => it.work('p', 'b', ...names);

async function done(spec: CommandSpec): Promise<Outcome & { readonly body: string }> {
  commands += 1;
  const ordered = it.master.order(`u.1.${commands}`, 's1', spec);
  const outcome = await it.master.end(ordered);
  return { ...outcome, body: ordered.body.toString() };
}

test('stat tells what is there, and follows links that stay inside', async () => {
  await writeFile(here('file'), '12345', { mode: 0o640 });
  await utimes(here('file'), 1_000, 1_000.5);
  await symlink('file', here('link'));
  await symlink('nowhere', here('dangling'));
  await symlink('/etc/passwd', here('out'));
  const file = { type: 'file', size: '5', mode: '640', mtimeMs: '1000500' };
  expect((await done({ kind: 'stat', path: 'file' })).facts).toEqual(file);
  expect((await done({ kind: 'stat', path: 'link' })).facts).toEqual(file);
  expect((await done({ kind: 'stat', path: '.' })).facts).toMatchObject({ type: 'folder' });
  expect((await done({ kind: 'stat', path: 'dangling' })).facts).toMatchObject({ type: 'link' });
  expect((await done({ kind: 'stat', path: 'out' })).facts).toMatchObject({ type: 'link' });
  expect((await done({ kind: 'stat', path: 'none/at/all' })).facts).toEqual({ type: 'none' });
  expect(await done({ kind: 'stat', path: '../x' })).toMatchObject({ status: 'refused' });
});

test('glob lists what a pattern means, odd names too, and follows no link', async () => {
  for (const folder of ['lib/deep', '.git', 'a\nb']) await mkdir(here(folder), { recursive: true });
  for (const file of ['lib/x.so', 'lib/deep/y.so', 'lib/x.c', '.git/z.so', 'a\nb/"; rm.so', 'ü.so']) {
    await writeFile(here(file), '');
  }
  await symlink('/etc', here('lib/etc'));
  await symlink('x.so', here('lib/x.so.1'));
  const listed = async (path: string): Promise<readonly string[]> =>
    (await done({ kind: 'glob', path })).body.split('\0').slice(0, -1);
  expect(await listed('**/*.so')).toEqual(['a\nb/"; rm.so', 'lib/deep/y.so', 'lib/x.so', 'ü.so']);
  expect(await listed('lib/x*')).toEqual(['lib/x.c', 'lib/x.so', 'lib/x.so.1']);
  expect(await listed('lib/etc/*')).toEqual([]);
  expect(await listed('nothing/*')).toEqual([]);
  expect(await done({ kind: 'glob', path: '**', limit: 3 })).toMatchObject({
    status: 'refused',
    message: '"**" means more than 3 files',
  });
  expect((await done({ kind: 'glob', path: '../*' })).message).toContain('leaves the folder');
  await writeFile(Buffer.concat([Buffer.from(`${here()}/bad`), Buffer.from([0xff])]), '');
  expect((await done({ kind: 'glob', path: 'bad*' })).message).toContain('no UTF-8');
});

test('a tree is copied with modes, times and links, and what was there is gone', async () => {
  await mkdir(here('from/sub'), { recursive: true });
  await writeFile(here('from/sub/run'), 'x');
  await chmod(here('from/sub/run'), 0o755);
  await utimes(here('from/sub/run'), 1_000, 1_000);
  await symlink('sub/run', here('from/link'));
  await mkdir(here('to/old'), { recursive: true });
  expect(await done({ kind: 'copy', path: 'from', to: 'to' })).toMatchObject({ status: 'done' });
  expect(await readdir(here('to'))).toEqual(['link', 'sub']);
  expect(await readlink(here('to/link'))).toBe('sub/run');
  expect(await stat(here('to/sub/run'))).toMatchObject({ mode: 0o100755, mtimeMs: 1_000_000 });
  expect(await done({ kind: 'copy', path: 'from/sub/run', to: 'deep/er/run' })).toMatchObject({ status: 'done' });
  expect(await readFile(here('deep/er/run'), 'utf8')).toBe('x');
  expect(await readdir(here())).toEqual(['deep', 'from', 'to']);
});

test('what cannot be copied or moved is told, and leaves nothing behind', async () => {
  await mkdir(here('from/sub'), { recursive: true });
  await mkdir(it.work('p', 'other'), { recursive: true });
  await symlink('../other', here('out'));
  for (const kind of ['copy', 'move'] as const) {
    expect((await done({ kind, path: 'from', to: 'from/sub/x' })).message).toContain('one in the other');
    expect((await done({ kind, path: 'from/sub', to: 'from' })).message).toContain('one in the other');
    expect((await done({ kind, path: 'from', to: 'out/x' })).message).toContain('leaves');
    expect((await done({ kind, path: 'from', to: '.' })).status).toBe('refused');
    expect((await done({ kind, path: 'none', to: 'x' })).status).toBe('refused');
  }
  expect(await readdir(here())).toEqual(['from', 'out']);
  expect(await readdir(it.work('p', 'other'))).toEqual([]);
});

test('a move that a crash left without its outcome is known for done, and no other is', async () => {
  await writeFile(here('old'), 'moved');
  expect(await done({ kind: 'move', path: 'old', to: 'sub/new' })).toMatchObject({ status: 'done' });
  expect(await readFile(here('sub/new'), 'utf8')).toBe('moved');
  await it.worker?.stop();
  const record = `${it.dir}/state/files/u.1.1.json`;
  const { outcome: _, ...begun } = JSON.parse(await readFile(record, 'utf8')) as Record<string, unknown>;
  const { inode } = begun;
  expect(inode).toBe(String((await stat(here('sub/new'))).ino));
  const again = async (what: Record<string, unknown>): Promise<Outcome> => {
    await writeFile(record, JSON.stringify(what));
    const ordered = it.master.orders.get('u.1.1');
    if (!ordered) throw new Error('the order is gone');
    ordered.outcome = undefined;
    ordered.outputEnd = undefined;
    await it.start();
    const outcome = await it.master.end(ordered);
    await it.worker?.stop();
    return outcome;
  };
  expect(await again(begun)).toMatchObject({ status: 'done' });
  expect(await again({ ...begun, inode: '1' })).toMatchObject({ status: 'refused', message: '"old" is not there' });
});

test('of what was interrupted while no line served it nothing is left', async () => {
  await writeFile(here('old'), 'x');
  expect(await done({ kind: 'copy', path: 'old', to: 'new' })).toMatchObject({ status: 'done' });
  await it.worker?.stop();
  const path = `${it.dir}/state/files/u.1.1.json`;
  const record = JSON.parse(await readFile(path, 'utf8')) as { readonly outcome: Outcome };
  const outcome = { ...record.outcome, status: 'refused', ended: 'interrupt' };
  await writeFile(path, JSON.stringify({ ...record, outcome }));
  await writeFile(partPath(here('new'), 'u.1.1'), 'half of it');
  await it.start();
  it.master.forget('u.1.1');
  await until('it is forgotten', async () => (await readdir(`${it.dir}/state/files`)).length === 0);
  expect(await readdir(here())).toEqual(['new', 'old']);
});

test('a list that the master has a part of is not made anew', async () => {
  for (let n = 0; n < 3_000; n += 1) await writeFile(here(`a-file-with-a-long-name-${n}`), '');
  await it.worker?.stop();
  const cuts = [40_000, 60_000];
  it.master.onLine = (faults) => {
    const bytes = cuts.shift();
    if (bytes !== undefined) faults.cutAfter('worker', bytes);
  };
  const ordered = it.master.order('u.1.1', 's1', { kind: 'glob', path: '*' });
  await it.start();
  await until('it was pushed again', () => it.master.heardOf('file.push').length >= 2);
  await rm(here('a-file-with-a-long-name-1'));
  await it.restart();
  expect(await it.master.end(ordered)).toMatchObject({ status: 'done' });
  expect(ordered.body.toString().split('\0')).toHaveLength(3_001);
  expect(await readdir(`${it.dir}/state/lists`)).toEqual(['u.1.1']);
  it.master.forget('u.1.1');
  await until('it is dropped', async () => (await readdir(`${it.dir}/state/lists`)).length === 0);
});
