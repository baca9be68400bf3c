import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '../../store/store.ts';

const SUFFIX = '.get';

/** Where a file is that a step fetched from its worker for a later call of the step; it goes with the step's end. */
export function fetchedPath(folder: string, command: string): string {
  return join(folder, `${command}${SUFFIX}`);
}

export async function removeFetched(folder: string, commands: Iterable<string>): Promise<void> {
  for (const command of commands) await rm(fetchedPath(folder, command), { force: true });
}

/** Removes those of builds that are over: a master was killed before it could. */
export async function removeStaleFetched(
  folder: string,
  { commands, builds }: Pick<Store, 'commands' | 'builds'>,
): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(SUFFIX)) continue;
    const command = name.slice(0, -SUFFIX.length);
    const record = await commands.find(command);
    const build = record && (await builds.find(record.buildId));
    if (build?.state !== 'running') await removeFetched(folder, [command]);
  }
}
