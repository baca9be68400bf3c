import { readFile, readdir } from 'node:fs/promises';

/** Ids of the processes that have this in their environment, as `NAME=VALUE`, wherever they hide. */
export async function markedProcesses(mark: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // A process may end while it is looked at.
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(mark)) found.push(pid);
  }
  return found;
}
