import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TempStore } from '../../../support/temp-store.ts';
import { SchedulerStand } from './scheduler-stand.ts';
import { STORIES } from './stories.ts';

const MAIN = fileURLToPath(new URL('../../../../dist/test/unit/master/schedulers/story-main.js', import.meta.url));
const HOUR = 3_600_000;

let temp: TempStore;
beforeEach(async () => {
  temp = await TempStore.make();
});
afterEach(() => temp.remove());

/** Runs a story in a process that kills itself; true when it did, false when the story has fewer commits. */
async function isKilled(name: keyof typeof STORIES, n: number, phase: string): Promise<boolean> {
  const { file, archiveDir, clock } = temp;
  const args = [MAIN, file, archiveDir, name, String(clock.now()), String(n), phase];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect([status, signal, output]).toEqual(signal === null ? [0, null, 'done'] : [null, 'SIGKILL', '']);
  return signal !== null;
}

/** The next master, which begins when the first one would have been done. */
async function goOn(name: keyof typeof STORIES, afterMs: number): Promise<SchedulerStand> {
  temp.clock.advance(afterMs);
  const stand = new SchedulerStand(await temp.open(), temp.clock, STORIES[name].projects);
  await STORIES[name].goOn(stand);
  return stand;
}

// What the disk has before a commit is what it had after the one before that, so that `after` is enough: TRUNKLINE_KILL_POINTS=all
// tries both.
const PHASES = process.env['TRUNKLINE_KILL_POINTS'] === 'all' ? (['before', 'after'] as const) : (['after'] as const);
const points = (...commits: readonly number[]) => commits.flatMap((n) => PHASES.map((phase) => [n, phase] as const));

test.each(points(1, 2, 3))(
  'changes that wait for a quiet branch are built once, all of them together: killed at commit %i, %s it',
  async (n, phase) => {
    expect(await isKilled('quiet', n, phase)).toBe(true);
    const stand = await goOn('quiet', 60_000);
    expect(await stand.sets()).toEqual(['onChange: b c']);
    const [request] = await stand.waiting();
    expect(await stand.store.changes.ofRequest(request?.id ?? 0)).toMatchObject([
      { revision: 'one' },
      { revision: 'two' },
    ]);
    expect(await stand.store.schedulers.pending()).toEqual([]);
  },
  120_000,
);

test.each(points(1, 2))(
  'each time comes once, and those that were missed as one: killed at commit %i, %s it',
  async (n, phase) => {
    expect(await isKilled('time', n, phase)).toBe(true);
    const stand = await goOn('time', 3 * HOUR);
    // The first commit notes the next time; what was never noted is not missed.
    const noted = n > 1 || phase === 'after';
    const fired = Math.max(0, phase === 'after' ? n - 1 : n - 2);
    const waiting = (await stand.waiting()).filter(({ builder }) => builder === 'b');
    expect(waiting).toHaveLength(noted ? fired + 1 : 0);
    expect(new Set(waiting.map(({ reason }) => reason)).size).toBe(waiting.length);
  },
  120_000,
);

// The end of its last build, and the set that follows.
test.each(points(5, 6))(
  'a build set that succeeded is followed once: killed at commit %i, %s it',
  async (n, phase) => {
    expect(await isKilled('followed', n, phase)).toBe(true);
    const stand = await goOn('followed', 0);
    expect(await stand.sets()).toEqual(['after: c']);
    expect((await stand.waiting())[0]?.source.revision).toBe('sha');
  },
  120_000,
);
