import { resolve } from 'node:path';
import { askDaemon } from '../base/control-socket.ts';
import { workerPaths } from './worker-dir.ts';

/** Asks the worker that runs in `dir`; `stop` comes back when the folder can be started again. Throws a UserMistake when none runs there. */
export async function askWorker(dir: string, verb: 'status' | 'stop'): Promise<Readonly<Record<string, unknown>>> {
  const path = resolve(dir);
  return { ...(await askDaemon('worker', path, workerPaths(path).controlSocket, verb)) };
}
