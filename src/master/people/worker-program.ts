import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorText } from '../../base/errors.ts';
import { OperatorError } from '../operator.ts';

/** The single-file worker, as this master hands it out. */
export interface WorkerProgram {
  readonly bytes: Uint8Array;
  /** Of the bytes, in hex. */
  readonly sha256: string;
}

/** Reads `dist/worker.mjs` each time: an upgrade in place may have put another one there. */
export async function readWorkerProgram(): Promise<WorkerProgram> {
  const path = programPath();
  try {
    const bytes = await readFile(path);
    return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
  } catch (error) {
    throw new OperatorError(
      'unavailable',
      `the worker that a new machine is given cannot be read (${errorText(error)}): run "npm run build" where the master is installed`,
      { cause: error },
    );
  }
}

/** Beside the built program, also for one who runs the sources as they are. */
function programPath(): string {
  const here = fileURLToPath(import.meta.url);
  return join(here, here.endsWith('.ts') ? '../../../../dist' : '../../../..', 'worker.mjs');
}
