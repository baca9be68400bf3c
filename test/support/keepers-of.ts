import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The process ids of the keepers of a worker's folder: there may be more than one. */
export async function keepersOf(workerDir: string): Promise<readonly number[]> {
  const spool = join(workerDir, 'spool');
  const found: number[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // It may end while it is looked at.
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (words.includes('keeper-main') && words.includes(`"${spool}"`)) found.push(Number(pid));
  }
  return found;
}
