import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const SUFFIX = '.put';
/** Also one that was being written, and copies of logs that were being read. */
const LEFT = /\.(?:put|log)(?:\.[0-9a-f]+\.tmp)?$/;

/** Where a text waits that is sent as a file for this command. It may be a secret. */
export function textPath(filesDir: string, command: string): string {
  return join(filesDir, `${command}${SUFFIX}`);
}

/** Removes what a master that was killed left of them: whoever needs one makes it anew. Before the first command. */
export async function sweepTexts(filesDir: string): Promise<void> {
  for (const name of await readdir(filesDir)) if (LEFT.test(name)) await rm(join(filesDir, name), { force: true });
}
