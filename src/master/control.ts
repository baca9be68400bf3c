import { resolve } from 'node:path';
import { askDaemon } from '../base/control-socket.ts';
import { masterPaths } from './master-dir.ts';

/** What the master's own console may ask, and what it is answered. */
export interface ControlAnswers {
  readonly status: { readonly isReady: boolean; readonly processId: number };
  readonly reload: { readonly hash: string; readonly differences: readonly string[] };
  /** Comes when the master has let go of its folder. */
  readonly stop: { readonly stopped: true };
}

/** Asks the master that runs in `dir`. Throws a UserMistake when none runs there, or with its own words when it refuses. */
export async function askMaster<V extends keyof ControlAnswers>(dir: string, verb: V): Promise<ControlAnswers[V]> {
  const path = resolve(dir);
  return (await askDaemon('master', path, masterPaths(path).controlSocket, verb)) as ControlAnswers[V];
}
