import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { errorText } from '../../base/errors.ts';
import type { Outcome } from '../../protocol/messages.ts';
import { FILES } from './command-files.ts';

const RETRY_MS = 1_000;

/** Writes a command's end, durably; tries again while the disk does not take it, until the folder is gone. */
export async function writeOutcome(
  dir: string,
  outcome: Outcome,
  outputEnd: number,
  warn: (message: string) => void,
): Promise<void> {
  const record = JSON.stringify({ outcome, outputEnd });
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
