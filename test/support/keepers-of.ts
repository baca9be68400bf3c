import { readFile, readdir } from 'node:fs/promises';

/** The process ids of the keepers of a spool, by its real path: there may be more than one. */
export async function keepersOf(spool: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // It may end while it is looked at.
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (/keeper-main|worker\.mjs\0keeper/.test(words) && words.includes(`"${spool}"`)) found.push(Number(pid));
  }
  return found;
}
