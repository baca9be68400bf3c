import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { CHECKOUT_SCRIPT } from '../../../src/config/steps/checkout-script.ts';
import { commit, git } from './checkout-place.ts';
import { temporaryFolder } from './try-config.ts';

// Processes are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

/** So many kills of each kind; more by hand. */
const KILLS = Number(process.env['TRUNKLINE_CHECKOUT_KILLS'] ?? 4);

/** Runs the script, or kills it with all that it started after so long. Resolves to its output, undefined when it was killed. */
async function run(
  folder: string,
  cache: string,
  words: readonly string[],
  killAfterMs?: number,
): Promise<string | undefined> {
  const child = spawn('/bin/sh', ['-c', CHECKOUT_SCRIPT, 'checkout', ...words, 'wait=0'], {
    cwd: folder,
    env: { PATH: process.env['PATH'], TRUNKLINE_CACHE: cache, LC_ALL: 'C', GIT_CONFIG_GLOBAL: '/dev/null' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (output += piece.toString()));
  const closed = once(child, 'close');
  if (killAfterMs !== undefined) {
    await setTimeout(killAfterMs);
    // As the keeper ends a command; it may have ended by itself.
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }
  const [code] = (await closed) as [number | null];
  if (code === null) return undefined;
  if (code !== 0) throw new Error(`exit ${code}: ${output}`);
  return output;
}

test.each([
  ['fresh', ['clean=fresh'], '.'],
  ['copy', ['copy=../tree'], '../tree'],
])(
  'a checkout (%s) that is killed anywhere is made whole by the next one, and so is what it shares',
  async (_what, more, tree) => {
    const root = await temporaryFolder();
    const [repository, folder, cache] = [join(root, 'origin'), join(root, 'build'), join(root, 'cache')];
    for (const name of [repository, folder, cache]) await mkdir(name);
    await git(repository, 'init', '-q', '-b', 'main');
    /** What a whole checkout takes here and now. */
    let takesMs = 150;
    for (let n = 0; n < KILLS; n++) {
      for (let file = 0; file < 20; file++) await writeFile(join(repository, `file-${file}`), `${n} ${file}\n`);
      const revision = await commit(repository, 'n', `${n}\n`);
      const words = [`url=${repository}`, 'branch=main', `revision=${revision}`, ...more, 'hash=h', 'cache=fill'];
      await run(folder, cache, words, Math.random() * takesMs);
      const begunMs = performance.now();
      const output = await run(folder, cache, words);
      takesMs = performance.now() - begunMs;
      expect(output).toContain(`got_revision ${revision}\n`);
      const place = join(folder, tree);
      expect(await git(place, 'status', '--porcelain', '--ignored')).toBe('');
      expect(await git(place, 'fsck')).not.toMatch(/missing|broken|error/);
      expect(await readFile(join(place, 'n'), 'utf8')).toBe(`${n}\n`);
      // The lock of one that was killed goes when somebody wants it.
      const kept = (await readdir(join(cache, 'git/h'))).filter((name) => name !== 'lock');
      expect(kept.sort()).toEqual(['.users', 'store']);
      expect(await git(join(cache, 'git/h/store'), 'fsck')).not.toMatch(/missing|broken|error/);
    }
  },
);
