import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MiB } from '../../../../src/protocol/limits.ts';
import { smallDisk } from '../../../support/small-disk.ts';
import type { SmallDisk } from '../../../support/small-disk.ts';
import { until } from '../../../support/until.ts';
import { TryWorker } from '../try-worker.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let it: TryWorker;
let disk: SmallDisk | undefined;
beforeEach(async () => {
  it = await TryWorker.create();
  disk = undefined;
});
afterEach(async () => {
  await disk?.remove();
  await it.close();
});

const setWork = (work: object): Promise<void> => setRoom({ work });

async function setRoom(room: object): Promise<void> {
  const file = join(it.dir, 'worker.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...config, ...room, spool: { keepFree: '0B' } }));
}

const fences = new Map<string, number>();
let calls = 0;
/** A build that leaves a file of so many bytes in its folder. */
async function build(session: string, mib: number): Promise<void> {
  await begin(session);
  const command = `u.${++calls}.1`;
  const script = `head -c ${mib * MiB} /dev/zero > file`;
  expect(await it.master.end(it.master.run(command, session, script))).toMatchObject({ exitCode: 0 });
  it.master.forget(command);
}

async function begin(session: string): Promise<void> {
  const fence = (fences.get(session) ?? 0) + 1;
  fences.set(session, fence);
  it.master.seat(session, `p/${session}`, fence);
  await until(`${session} is open`, () => it.master.heardOf('session.opened').some((opened) => opened.fence === fence));
}

/** The master's word that its build is over; resolves when that is on disk. */
async function idle(session: string): Promise<void> {
  const fence = fences.get(session) ?? 0;
  it.master.link?.send('session.idle', session, { fence });
  await until(`${session} is idle`, async () => {
    const book = JSON.parse(await readFile(join(it.dir, 'state', 'sessions.json'), 'utf8')) as {
      sessions: { session: string; idle?: { fence: number } }[];
    };
    return book.sessions.some((one) => one.session === session && one.idle?.fence === fence);
  });
}

const isThere = (session: string): boolean => existsSync(it.work('p', session));
const trash = async (): Promise<string[]> => (await readdir(it.work('.trash')).catch(() => [])) as string[];

async function useSmallDisk(): Promise<SmallDisk | undefined> {
  await rm(it.work(), { recursive: true });
  return await smallDisk(64 * MiB, it.work());
}

test('on a disk with too little room the least recently used folder goes, as many as it takes, and none in use', async () => {
  fences.clear();
  disk = await useSmallDisk();
  if (!disk) return;
  await setWork({ keepFree: '24MiB' });
  await it.start();
  for (const session of ['one', 'two', 'three']) await build(session, 8);
  // In use, though it was used before all others.
  await idle('two');
  await idle('three');
  await writeFile(it.work('by-hand'), 'kept');
  await mkdir(it.work('p', 'mine'));
  expect([isThere('one'), isThere('two'), isThere('three')]).toEqual([true, true, true]);
  disk.fill(20 * MiB);
  const next = it.master.run('u.next.1', 'one', 'ls ..');
  expect(await it.master.end(next)).toMatchObject({ exitCode: 0 });
  // It began when there was room.
  expect(it.master.log(next).toString().split('\n').filter(Boolean)).toEqual(['mine', 'one', 'three']);
  await until('the trash is empty', async () => (await trash()).length === 0);
  expect([isThere('one'), isThere('two'), isThere('three')]).toEqual([true, false, true]);
  expect(existsSync(it.work('by-hand'))).toBe(true);

  // All that is idle, and what is in use stays, however little room there is; between two of its commands, too.
  disk.fill(2 * MiB);
  const last = it.master.run('u.next.2', 'one', 'ls ..');
  expect(await it.master.end(last)).toMatchObject({ exitCode: 0 });
  expect(it.master.log(last).toString().split('\n').filter(Boolean)).toEqual(['mine', 'one']);
});

test('a folder that is used again is not evicted, and one that was comes back empty', async () => {
  fences.clear();
  disk = await useSmallDisk();
  if (!disk) return;
  await setWork({ keepFree: '24MiB' });
  await it.start();
  await build('one', 8);
  await idle('one');
  await build('two', 8);
  await idle('two');
  await begin('one');
  disk.fill(20 * MiB);
  const command = it.master.run('u.again.1', 'one', 'ls; ls ..');
  expect(await it.master.end(command)).toMatchObject({ exitCode: 0 });
  expect(it.master.log(command).toString()).toBe('file\none\n');
  disk.relieve();
  await begin('two');
  const empty = it.master.run('u.again.2', 'two', 'ls');
  expect(await it.master.end(empty)).toMatchObject({ exitCode: 0 });
  expect(it.master.log(empty).toString()).toBe('');
});

/** A cache as builds leave it, used so many minutes ago, needed by a session's folder if one is named. */
async function cache(name: string, mib: number, minutesAgo: number, needed?: string): Promise<void> {
  const folder = join(it.dir, 'cache', 'kind', name);
  await mkdir(join(folder, '.users'), { recursive: true });
  await writeFile(join(folder, 'file'), Buffer.alloc(mib * MiB, 1));
  if (needed !== undefined) await writeFile(join(folder, '.users', needed), `${it.work('p', needed, 'deep')}\n`);
  const used = new Date(Date.now() - minutesAgo * 60_000);
  await utimes(folder, used, used);
}
const isCached = (name: string): boolean => existsSync(join(it.dir, 'cache', 'kind', name));

test('commands are told where caches are, and those that were not used for longest go when they take too much, but none that a build in a folder needs', async () => {
  fences.clear();
  await setRoom({ cache: { inAll: '20MiB' } });
  await it.start();
  await begin('one');
  const told = it.master.run('u.told.1', 'one', 'stat -c %a "$TRUNKLINE_CACHE" && cd "$TRUNKLINE_CACHE" && pwd');
  expect(await it.master.end(told)).toMatchObject({ exitCode: 0 });
  expect(it.master.log(told).toString()).toBe(`700\n${join(it.dir, 'cache')}\n`);
  await cache('needed', 8, 9, 'one');
  await cache('old', 8, 8);
  await cache('new', 8, 7);
  await writeFile(join(it.dir, 'cache', 'kind', 'loose'), 'a file is a cache as well');
  await build('two', 1);
  await idle('two');
  await until('the oldest is gone', () => !isCached('old'));
  expect([isCached('needed'), isCached('new'), isCached('loose')]).toEqual([true, true, true]);
  await idle('one');
  await cache('newest', 8, 1);
  await build('two', 1);
  await idle('two');
  await until('what the build needed is gone', () => !isCached('needed'));
  expect([isCached('new'), isCached('newest'), isThere('one')]).toEqual([true, true, true]);
});

test('on a disk with too little room caches and folders go by age, and where there are to be none commands are told of none', async () => {
  fences.clear();
  await setRoom({ work: { keepFree: '1000TB' } });
  await it.start();
  await cache('kept', 1, 1, 'one');
  await cache('old', 1, 2);
  await begin('one');
  await build('two', 1);
  await idle('two');
  await until('all that may go is gone', () => !isCached('old') && !isThere('two'));
  expect([isCached('kept'), isThere('one')]).toEqual([true, true]);
  await it.worker?.stop();
  await setRoom({ work: { keepFree: '0B' }, cache: { inAll: '0B' } });
  await it.start();
  const told = it.master.run('u.none.1', 'one', 'echo "${TRUNKLINE_CACHE-none}"');
  expect(await it.master.end(told)).toMatchObject({ exitCode: 0 });
  expect(it.master.log(told).toString()).toBe('none\n');
  await idle('one');
  await until('what was left is gone', () => !isCached('kept'));
});

test('folders that take more than they may in all go by age, and a restart finds who is idle and what was in the trash', async () => {
  fences.clear();
  await setWork({ inAll: '20MiB', keepFree: '0B' });
  await it.start();
  for (const session of ['one', 'two']) {
    await build(session, 8);
    await idle(session);
  }
  await it.worker?.stop();
  // As a daemon leaves it that is killed between the rename and the removal.
  await mkdir(it.work('.trash'), { recursive: true });
  await rename(it.work('p', 'one'), it.work('.trash', 'left'));
  await it.start();
  await until('the trash is empty', async () => (await trash()).length === 0);
  expect(isThere('two')).toBe(true);
  await build('three', 8);
  await idle('three');
  expect(isThere('two')).toBe(true);
  await build('four', 8);
  expect(isThere('two')).toBe(true);
  await idle('four');
  await until('the oldest is gone', () => !isThere('two'));
  expect([isThere('three'), isThere('four')]).toEqual([true, true]);
});

test('a folder behind a link is left alone, and a session cannot have the trash for its folder', async () => {
  fences.clear();
  await setWork({ inAll: '1MiB', keepFree: '0B' });
  await mkdir(join(it.dir, 'elsewhere'));
  await it.start();
  await begin('moved');
  await rm(it.work('p', 'moved'), { recursive: true });
  await mkdir(it.work('other'));
  await symlink(it.work('other'), it.work('p', 'moved'));
  await build('moved', 2);
  await idle('moved');
  await build('plain', 2);
  await idle('plain');
  await until('the plain one is gone', () => !isThere('plain'));
  expect(existsSync(it.work('other', 'file'))).toBe(true);
  it.master.seat('bad', '.trash/x');
  await until('it is refused', () => it.master.heardOf('session.failed').length > 0);
  expect(it.master.heardOf('session.failed')[0]?.message).toContain('for folders that are removed');
});
