import { Buffer } from 'node:buffer';
import { showSize } from '../../base/size.ts';
import type { LogHole } from '../../protocol/resume.ts';

/** What the log says in place of bytes that were left out because it has a limit. */
export function limitLine({ keepsBytes, leftOutBytes, length }: Omit<LogHole, 'reason'>): Uint8Array {
  const line =
    keepsBytes === undefined
      ? `[trunkline: ${leftOutBytes ?? length} bytes were left out here: the log had reached its limit]`
      : `[trunkline: the log has reached its limit: the command goes on, and of what follows only the last ${showSize(keepsBytes)} are kept]`;
  // On a line of its own: what was before it may have been cut anywhere.
  return Buffer.from(`\n${line}\n`);
}
