import { existsSync } from 'node:fs';
import { readFile, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readCensus } from './heap-census.ts';
import type { Census } from './heap-census.ts';
import { until } from './until.ts';

/** What a process holds, after a collection. */
export interface Measure {
  readonly pid: number;
  readonly descriptors: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
}

const PROBE = resolve(
  import.meta.dirname,
  import.meta.dirname.includes('/dist/') ? '.' : '../../dist/test/support',
  'probe-main.js',
);

/** The environment of a daemon that is to be measured, and the keeper that it starts; `folder` is where they write. */
export function probed(folder: string, options: { readonly heap?: boolean } = {}): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import=${pathToFileURL(PROBE).href}`,
    PROBE_FOLDER: folder,
    ...(options.heap && { PROBE_HEAP: '1' }),
  };
}

export async function measure(folder: string, pid: number): Promise<Measure> {
  const answer = join(folder, `${pid}.json`);
  await rm(answer, { force: true });
  process.kill(pid, 'SIGUSR2');
  const text = await until(`process ${pid} is measured`, () => readFile(answer, 'utf8').catch(() => undefined));
  const { rss, heapUsed } = JSON.parse(text) as NodeJS.MemoryUsage;
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  return { pid, descriptors, rssMiB: mib(rss), heapMiB: mib(heapUsed) };
}

/** What lay in its heap, and in that of its thread, when it was measured last. */
export async function census(
  folder: string,
  pid: number,
): Promise<{ readonly main: Census; readonly thread?: Census }> {
  const [main, thread] = [join(folder, `${pid}.heapsnapshot`), join(folder, `${pid}-thread.heapsnapshot`)];
  return { main: await readCensus(main), ...(existsSync(thread) && { thread: await readCensus(thread) }) };
}

function mib(bytes: number): number {
  return Math.round((bytes / 2 ** 20) * 10) / 10;
}
