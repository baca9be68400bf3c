import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { until } from '../../support/until.ts';
import { sha256Of } from './scripted-master.ts';
import { TryWorker } from './try-worker.ts';

// Real processes on a machine that may be busy: only a hang takes so long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let it: TryWorker;
beforeEach(async () => {
  it = await TryWorker.create();
});
afterEach(() => it.close());

/** Prints lines of a known hash until the file `go` is there; leaves the hash of all it printed in `hash`. */
const PRINTER = `
import hashlib, os, sys, time
digest, n = hashlib.sha256(), 0
while True:
    last = os.path.exists('go')
    for _ in range(500):
        line = ('line %09d %s\\n' % (n, 'x' * (n % 90))).encode()
        sys.stdout.buffer.write(line); digest.update(line); n += 1
    sys.stdout.buffer.flush()
    if last: break
    time.sleep(0.002)
open('hash', 'w').write(digest.hexdigest())
`;

async function startPrinter(): Promise<ReturnType<TryWorker['master']['run']>> {
  await mkdir(it.work('p', 'b'), { recursive: true });
  await writeFile(it.work('p', 'b', 'printer.py'), PRINTER);
  return it.master.run('u.1.1', 's1', 'echo start >> starts; exec python3 printer.py');
}

async function printedWell(ordered: ReturnType<TryWorker['master']['run']>): Promise<void> {
  expect(await it.master.end(ordered)).toMatchObject({ status: 'exited', exitCode: 0 });
  expect(sha256Of(it.master.log(ordered))).toBe(await readFile(it.work('p', 'b', 'hash'), 'utf8'));
  expect(await readFile(it.work('p', 'b', 'starts'), 'utf8')).toBe('start\n');
}

test('a command runs in its session’s folder with a chosen environment, and its log and end arrive', async () => {
  process.env['TL_TEST_HIDDEN'] = 'x';
  it.master.seat('s1', 'p/b');
  const ordered = it.master.run('u.1.1', 's1', 'pwd; echo "[$TL_TEST_HIDDEN] $STEP"; echo e >&2; exit 3', {
    env: { STEP: 'one' },
  });
  await it.start();
  expect(await it.master.end(ordered)).toMatchObject({ status: 'exited', exitCode: 3 });
  expect(it.master.log(ordered).toString()).toBe(`${it.work('p', 'b')}\n[] one\ne\n`);
  expect(ordered.isStarted).toBe(true);
  delete process.env['TL_TEST_HIDDEN'];
});

test('a log is whole, and its command started once, though the line is cut again and again', async () => {
  it.master.seat('s1', 'p/b');
  const ordered = await startPrinter();
  // From the greeting to the middle of chunks.
  const places = [200, 5_000, 900, 60_000, 20_000, 300_000, 41_234, 100_001];
  it.master.onLine = (faults) => {
    const bytes = places.shift();
    if (bytes !== undefined) faults.cutAfter(bytes === 900 ? 'master' : 'worker', bytes);
  };
  await it.start();
  await until('all cuts were made', () => places.length === 0 && it.worker?.state().link === 'connected');
  const before = ordered.storedEnd;
  await until('the log goes on', () => ordered.storedEnd > before);
  await writeFile(it.work('p', 'b', 'go'), '');
  await printedWell(ordered);
});

test('a command and its log outlive the daemon', async () => {
  it.master.seat('s1', 'p/b');
  const ordered = await startPrinter();
  await it.start();
  await until('something is stored', () => ordered.storedEnd > 100_000);
  await it.restart();
  expect(it.master.inventory).toBeDefined();
  const before = ordered.storedEnd;
  await until('the log goes on', () => ordered.storedEnd > before);
  await it.worker?.stop();
  await writeFile(it.work('p', 'b', 'go'), '');
  await until('the command ended with nobody there', () => existsSync(it.work('p', 'b', 'hash')));
  await it.start();
  await printedWell(ordered);
});

test('a big log of a command that ended goes in whole chunks', async () => {
  it.master.seat('s1', 'p/b');
  const ordered = it.master.run('u.1.1', 's1', 'seq 1 900000 | tee all');
  await it.start();
  expect(await it.master.end(ordered)).toMatchObject({ exitCode: 0 });
  expect(sha256Of(it.master.log(ordered))).toBe(sha256Of(await readFile(it.work('p', 'b', 'all'))));
});

test('a sender that is asked for an earlier place goes back there', async () => {
  it.master.seat('s1', 'p/b');
  it.master.chunksToLose = 2;
  const ordered = it.master.run('u.1.1', 's1', 'seq 1 900000 | tee all');
  await it.start();
  expect(await it.master.end(ordered)).toMatchObject({ exitCode: 0 });
  expect(sha256Of(it.master.log(ordered))).toBe(sha256Of(await readFile(it.work('p', 'b', 'all'))));
});

test('an interrupt ends a command, and a stale owner’s does not', async () => {
  it.master.seat('s1', 'p/b', 5);
  const ordered = it.master.run('u.1.1', 's1', 'echo up; exec sleep 600');
  await it.start();
  await until('it is up', () => ordered.storedEnd > 0);
  const order = (fence: number): void =>
    it.master.link?.send('command.interrupt', 's1', { command: 'u.1.1', fence, reason: 'enough' });
  order(4);
  // Orders of a session are carried out in turn: when this one has ended, the interrupt before it was looked at.
  await it.master.end(it.master.run('u.1.2', 's1', 'true'));
  expect(ordered.outcome).toBeUndefined();
  order(5);
  expect(await it.master.end(ordered)).toMatchObject({ ended: 'interrupt' });
});

test('an owner with a lower fence than the disk knows is not heard, after a restart too', async () => {
  it.master.seat('s1', 'p/b', 7);
  await it.start();
  await until('the session is open', () => it.master.heardOf('session.opened').length > 0);
  await it.worker?.stop();
  it.master.heard.length = 0;
  it.master.seats.set('s1', { directory: 'p/b', fence: 6 });
  it.master.seat('s2', 'p/c', 1);
  it.master.run('u.1.1', 's1', 'touch done');
  await it.start();
  await it.master.end(it.master.run('u.2.1', 's2', 'true'));
  expect(it.master.inventory?.sessions).toEqual([{ session: 's1', fence: 7, directory: 'p/b' }]);
  expect(it.master.heardOf('session.opened')).toEqual([{ fence: 1 }]);
  expect(await readdir(it.work('p', 'b'))).toEqual([]);
});

test('what is forgotten ends, and is not told again', async () => {
  it.master.seat('s1', 'p/b');
  const sleeper = it.master.run('u.1.1', 's1', 'echo $$; exec sleep 600');
  const ended = it.master.run('u.1.2', 's1', 'true');
  await it.start();
  await it.master.end(ended);
  await until('the other is up', () => sleeper.storedEnd > 0);
  const pid = Number(it.master.log(sleeper).toString());
  it.master.forget('u.1.2');
  await it.worker?.stop();
  // The master forgets the sleeper while the worker is away.
  sleeper.isForgotten = true;
  await it.start();
  await until('the process is gone', async () => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    return stat === undefined || stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'Z';
  });
  await until('nothing is spooled', async () => {
    const names = await readdir(`${it.dir}/spool`);
    return !names.includes('u.1.1') && !names.includes('u.1.2');
  });
  await it.restart();
  await until('it told what it holds', () => it.master.inventory?.commands.length === 0);
});

test('a start that is asked twice starts once', async () => {
  it.master.seat('s1', 'p/b');
  await it.start();
  await until('the session is open', () => it.master.heardOf('session.opened').length > 0);
  const ordered = it.master.run('u.1.1', 's1', 'echo x >> starts');
  const { spec } = ordered;
  for (let i = 0; i < 5; i++) it.master.link?.send('command.start', 's1', { command: 'u.1.1', fence: 1, spec });
  await it.master.end(ordered);
  await until('each was answered', () => it.master.heardOf('command.started').length === 6);
  expect(await readFile(it.work('p', 'b', 'starts'), 'utf8')).toBe('x\n');
});

test('what cannot be run is refused with a reason, which survives a restart', async () => {
  it.master.seat('s1', 'p/b');
  const program = it.master.order('u.1.1', 's1', { kind: 'run', argv: ['no-such-program'] });
  const escape = it.master.run('u.1.2', 's1', 'pwd', { cwd: '../..' });
  const absent = it.master.run('u.1.3', 's1', 'pwd', { cwd: 'nowhere' });
  await it.start();
  expect((await it.master.end(program)).message).toContain('no-such-program');
  expect((await it.master.end(escape)).message).toContain('".."');
  expect((await it.master.end(absent)).message).toContain('nowhere');
  for (const { outcome } of [program, escape, absent]) {
    expect(outcome?.status).toBe('refused');
    expect(outcome).not.toHaveProperty('fault');
  }
  const before = it.master.inventory;
  await it.restart();
  await until('it told what it holds', () => it.master.inventory !== before);
  const told = it.master.inventory?.commands.map(({ command, outcome }) => [command, outcome?.status]).sort();
  expect(told).toEqual(['u.1.1', 'u.1.2', 'u.1.3'].map((command) => [command, 'refused']));
});

test('a work folder that was removed is made anew', async () => {
  it.master.seat('s1', 'p/b');
  await it.start();
  await it.master.end(it.master.run('u.1.1', 's1', 'true'));
  await rm(it.work(), { recursive: true });
  expect(await it.master.end(it.master.run('u.1.2', 's1', 'pwd'))).toMatchObject({ status: 'exited', exitCode: 0 });
});

test('a daemon whose spool is taken away stops and says so, and the next one tells that nothing is left', async () => {
  it.master.seat('s1', 'p/b');
  const lost = it.master.run('u.1.1', 's1', 'echo up; exec sleep 600');
  const worker = await it.start();
  await until('it is up', () => lost.storedEnd > 0);
  await rm(join(it.dir, 'spool'), { recursive: true, maxRetries: 10 });
  await expect(worker.closed).rejects.toThrow('spool was taken away');
  const before = it.master.inventory;
  lost.isForgotten = true;
  await it.start();
  await until('it told what it holds', () => it.master.inventory !== before);
  expect(it.master.inventory?.commands).toEqual([]);
});

test('a damaged book of sessions is told with what to do, and what runs goes on when that is done', async () => {
  it.master.seat('s1', 'p/b');
  const ordered = it.master.run('u.1.1', 's1', 'echo up; until [ -e go ]; do sleep 0.05; done; echo done');
  const worker = await it.start();
  await until('it is up', () => ordered.storedEnd > 0);
  await worker.stop();
  const book = join(it.dir, 'state', 'sessions.json');
  await writeFile(book, '');
  await expect(it.start()).rejects.toThrow(/sessions\.json cannot be used: .*; remove it and start again/);
  await rm(book);
  await it.start();
  await writeFile(it.work('p', 'b', 'go'), '');
  expect(await it.master.end(ordered)).toMatchObject({ exitCode: 0 });
  expect(it.master.log(ordered).toString()).toBe('up\ndone\n');
});

test('a session’s folder may not lie outside the work folder', async () => {
  await mkdir(it.work(), { recursive: true });
  const outside = await mkdtemp(join(tmpdir(), 'tl-outside-'));
  await symlink(outside, it.work('out'));
  for (const [session, directory] of [
    ['s1', '../x'],
    ['s2', `${outside}/x`],
    ['s3', 'out/x'],
    ['s4', ''],
  ] as const)
    it.master.seat(session, directory);
  it.master.seat('s5', 'fine');
  const refused = it.master.run('u.1.1', 's1', 'touch here');
  await it.start();
  await until('the good one is open', () => it.master.heardOf('session.opened').length === 1);
  await until('the others are refused', () => it.master.heardOf('session.failed').length === 4);
  expect(await it.master.end(refused)).toMatchObject({ status: 'refused' });
  expect(await readdir(outside)).toEqual([]);
  await rmdir(outside);
});

test('many sessions run at once over one line', async () => {
  const orders = Array.from({ length: 60 }, (_, index) => {
    it.master.seat(`s${index}`, `p/b-${index}`);
    return it.master.run(`u.${index}.1`, `s${index}`, `echo ${index}; seq 1 2000`);
  });
  await it.start();
  for (const [index, ordered] of orders.entries()) {
    expect(await it.master.end(ordered)).toMatchObject({ exitCode: 0 });
    expect(it.master.log(ordered).toString().startsWith(`${index}\n1\n2\n`)).toBe(true);
  }
});
