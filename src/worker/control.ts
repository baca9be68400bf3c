import { resolve } from 'node:path';
import { askDaemon } from '../base/control-socket.ts';
import type { ControlDetails } from '../base/control-socket.ts';
import { workerPaths } from './worker-dir.ts';

/**
 * Asks the worker that runs in `dir`; `stop` comes back when the folder can be started again, `rotate` when the worker has another
 * key, `{fingerprint}`. Throws a UserMistake when none runs there, or with its own words when it refuses.
 */
export async function askWorker(
  dir: string,
  verb: 'status' | 'drain' | 'stop' | 'rotate',
  details?: ControlDetails,
): Promise<Readonly<Record<string, unknown>>> {
  const path = resolve(dir);
  return { ...(await askDaemon('worker', path, workerPaths(path).controlSocket, verb, details)) };
}
