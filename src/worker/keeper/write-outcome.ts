import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { errorText } from '../../base/errors.ts';
import type { Outcome } from '../../protocol/messages.ts';
import { FILES, MOST_LEFT } from './command-files.ts';
import type { ProcessIdentity } from './process-table.ts';

const RETRY_MS = 1_000;
const MOST_NAMED = 20;

/** How a command ended, and what could not be ended of it. */
export interface End {
  readonly outcome: Outcome;
  readonly outputEnd: number;
  readonly left?: readonly ProcessIdentity[];
}

/** Writes a command's end, durably; tries again while the disk does not take it, until the folder is gone. */
export async function writeOutcome(dir: string, end: End, warn: (message: string) => void): Promise<void> {
  const left = end.left?.slice(0, MOST_LEFT) ?? [];
  const record = JSON.stringify({ ...end, left: left.length > 0 ? left : undefined });
  while (existsSync(dir)) {
    try {
      await writeFileAtomic(join(dir, FILES.outcome), record, 0o600);
      return;
    } catch (error) {
      warn(`the outcome could not be written, trying again: ${errorText(error)}`);
      await sleep(RETRY_MS);
    }
  }
}

/** For the outcome's message. */
export function toldLeft(left: readonly ProcessIdentity[]): string {
  const pids = left.slice(0, MOST_NAMED).map(({ pid }) => pid);
  return `these processes could not be ended: ${pids.join(', ')}${left.length > MOST_NAMED ? ', …' : ''}`;
}
