import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { BareRepository } from '../../../support/bare-repository.ts';
import { PollBench } from '../../../support/poll-bench.ts';
import { runOk } from '../../../support/run.ts';
import { SEED, seeded } from '../../../support/seed.ts';
import { until } from '../../../support/until.ts';

// TRUNKLINE_KILL_POINTS=all kills at each commit of a poll, and in each of its gits, instead of in a few; TRUNKLINE_SEED=N makes
// another choice.
const IS_ALL = process.env['TRUNKLINE_KILL_POINTS'] === 'all';
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MAIN = fileURLToPath(new URL('../../../../dist/test/unit/master/sources/poll-main.js', import.meta.url));
const OPTIONS = { branches: true, tags: true } as const;
/** Of the poll below: one for each change, each branch and tag, what is gone, and what came of it. */
const COMMITS = 11;
const FEW = 2;
const ALL = Array.from({ length: COMMITS }, (_, n) => ['before', 'after'].map((phase) => ({ n: n + 1, phase }))).flat();
const random = seeded(SEED);
const points = IS_ALL
  ? ALL
  : ALL.map((point) => ({ point, rank: random() }))
      .toSorted((one, other) => one.rank - other.rank)
      .slice(0, FEW)
      .map(({ point }) => point);
/** Those that write, and those that only read. */
const GITS = ['init', 'fetch', 'pack-refs', ...(IS_ALL ? ['ls-remote', 'log'] : [])];

let dir: string;
let kate: BareRepository;
let count = 0;

/** A master's folder after its first poll, and a repository that has moved since. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-killed-'));
  kate = await BareRepository.make(join(dir, 'kate.git'));
  const base = await kate.commit('main', { message: 'base' });
  await kate.commit('gone', { from: base });
  await mkdir(join(dir, 'first'));
  const first = await PollBench.open({ p: [kate.dir, OPTIONS] }, { dir: join(dir, 'first') });
  await first.polls.poll(kate.dir);
  await first.leave();
  for (const message of ['one', 'two', 'three']) await kate.commit('main', { message });
  for (const message of ['four', 'five'])
    await kate.commit('topic', { message, from: (await kate.tip('topic')) ?? base });
  await kate.set('refs/tags/v1', base);
  await kate.set('refs/heads/gone', undefined);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function newFolder(): Promise<string> {
  const folder = join(dir, `m${++count}`);
  await cp(join(dir, 'first'), folder, { recursive: true });
  return folder;
}

/** Resolves to the signal that ended it. */
async function pollIn(folder: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string | null> {
  const args = [MAIN, folder, kate.dir, JSON.stringify(OPTIONS), ...words];
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  return signal;
}

/** What the next master has when it has polled: all, once, in its order. */
async function expectAll(folder: string): Promise<void> {
  const next = await PollBench.open({ p: [kate.dir, OPTIONS] }, { dir: folder });
  await next.polls.poll(kate.dir);
  const told = (await next.changes()).map(({ branch, comments }) => `${branch} ${comments}`);
  expect(told).toEqual(['main one', 'main two', 'main three', 'topic four', 'topic five', 'refs/tags/v1 base']);
  const pending = await next.store.requests.pending();
  const tips = await Promise.all(['one', 'two', 'three'].map((_, n) => kate.git('rev-parse', `main~${2 - n}`)));
  expect(pending.map(({ source }) => source.revision)).toEqual(tips);
  expect(await next.poll(kate.dir)).toEqual([]);
  expect(await next.polls.list()).toMatchObject([{ error: null }]);
  await next.close();
}

test.each(points)(
  'a poll that is killed $phase its commit $n is gone over again: nothing lost, nothing twice',
  async (at) => {
    const folder = await newFolder();
    expect(await pollIn(folder, [String(at.n), at.phase])).toBe('SIGKILL');
    await expectAll(folder);
  },
);

test('a poll has no more commits than those', async () => {
  const folder = await newFolder();
  expect(await pollIn(folder, [String(COMMITS + 1), 'before'])).toBeNull();
  await expectAll(folder);
});

test.each(GITS)(
  'a master that is killed while git does its %s leaves no git behind, and nothing that the next one stumbles over',
  async (word) => {
    const folder = await newFolder();
    const bin = join(folder, 'bin');
    await mkdir(bin);
    const git = await runOk('sh', ['-c', 'command -v git']);
    // The fetch is done, but its git still there.
    const script = `#!/bin/sh
case " $* " in *" ${word} "*)
  [ ${word} != fetch ] || ${git} "$@"
  echo $$ > ${folder}/git-pid
  kill -KILL "$(cat ${folder}/pid)"
  sleep 600
  ;;
esac
exec ${git} "$@"
`;
    await writeFile(join(bin, 'git'), script, { mode: 0o755 });
    expect(await pollIn(folder, [], { PATH: `${bin}:${process.env['PATH']}` })).toBe('SIGKILL');
    const pid = Number(await readFile(join(folder, 'git-pid'), 'utf8'));
    await until('its git has ended', () => !isThere(pid));
    await expectAll(folder);
  },
);

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
