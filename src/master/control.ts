import { resolve } from 'node:path';
import { askDaemon } from '../base/control-socket.ts';
import type { ControlDetails } from '../base/control-socket.ts';
import type { HostKeyStatus, ReloadView } from './views/master.ts';
import { masterPaths } from './master-dir.ts';

/** What the master's own console may ask, and what it is answered. */
export interface ControlAnswers {
  readonly status: { readonly isReady: boolean; readonly processId: number };
  /** The master will be away: workers hold their commands for so long, `absenceMs`. */
  readonly absence: {
    /** Workers that did not say in time that they will. */
    readonly silent: readonly string[];
    /** Workers with builds that are not here to be told. */
    readonly away: readonly string[];
  };
  readonly reload: ReloadView;
  readonly 'hostkey-next': { readonly fingerprint: string };
  readonly 'hostkey-status': HostKeyStatus;
  /** With `force` 1 also when workers do not know it: they are `without`. */
  readonly 'hostkey-use': { readonly fingerprint: string; readonly without: readonly string[] };
  /** Comes when the master has let go of its folder. */
  readonly stop: { readonly stopped: true };
}

/** Asks the master that runs in `dir`. Throws a UserMistake when none runs there, or with its own words when it refuses. */
export async function askMaster<V extends keyof ControlAnswers>(
  dir: string,
  verb: V,
  details?: ControlDetails,
): Promise<ControlAnswers[V]> {
  const path = resolve(dir);
  const place = { noun: 'master', called: 'trunkline master', dir: path, socket: masterPaths(path).controlSocket };
  return (await askDaemon(place, verb, details)) as ControlAnswers[V];
}
