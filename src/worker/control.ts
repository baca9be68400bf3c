import { resolve } from 'node:path';
import { askDaemon } from '../base/control-socket.ts';
import type { ControlDetails } from '../base/control-socket.ts';
import { CALLED, workerPaths } from './worker-dir.ts';

/**
 * Asks the worker that runs in `dir`; `stop` comes back when the folder can be started again, `rotate` when the worker has another
 * key, `{fingerprint}`. Throws a UserMistake when none runs there, or with its own words when it refuses. `called`: how the asking
 * program is.
 */
export async function askWorker(
  dir: string,
  verb: 'status' | 'drain' | 'stop' | 'rotate',
  { called = CALLED, ...details }: ControlDetails & { readonly called?: string } = {},
): Promise<Readonly<Record<string, unknown>>> {
  const path = resolve(dir);
  const place = { noun: 'worker', called, dir: path, socket: workerPaths(path).controlSocket };
  return { ...(await askDaemon(place, verb, details)) };
}
