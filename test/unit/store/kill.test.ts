import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { chunkOf, noise, readAll } from '../../support/log-chunks.ts';
import { sealed } from '../../support/sealed.ts';
import { emptyLog, TempStore } from '../../support/temp-store.ts';

const MAIN = fileURLToPath(new URL('../../../dist/test/unit/store/append-main.js', import.meta.url));

let temp: TempStore;
beforeEach(async () => {
  temp = await TempStore.make();
});
afterEach(() => temp.remove());

const points = [1, 2, 3, 4].flatMap((n) => (['before', 'after'] as const).map((phase) => ({ n, phase })));

it.each(points)(
  'loses nothing it acknowledged when killed $phase commit $n, and goes on',
  async ({ n, phase }) => {
    const first = await temp.open();
    const { id } = await emptyLog(first);
    await first.close();

    const acknowledged = await runUntilKilled([temp.file, temp.archiveDir, String(id), String(n), phase]);

    const whole = noise(120_000);
    const store = await temp.open();
    const log = await store.logs.find(id);
    const length = log?.length ?? -1;
    const committed = n > 1 || phase === 'after' ? (n > 2 || (n === 2 && phase === 'after') ? 120_000 : 60_000) : 0;
    expect(length).toBe(committed);
    expect(length).toBeGreaterThanOrEqual(acknowledged);
    expect((await readAll(store, id)).equals(whole.subarray(0, length))).toBe(true);
    // What the worker would do: go on from there.
    if (length < whole.length) await store.logs.append(id, chunkOf(whole.subarray(length), length, 'gzip'));
    await store.logs.complete(id, 3);
    await sealed(temp, id, whole.length);
    expect((await readAll(store, id)).equals(whole)).toBe(true);
    const file = await readFile(join(temp.archiveDir, '0', `${id}.log.gz`));
    expect(gunzipSync(file).equals(whole)).toBe(true);
  },
  120_000,
);

/** Resolves to the last length that was acknowledged. */
async function runUntilKilled(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return Number(output.trim().split('\n').at(-1) ?? 0);
}
