import type { Principal } from '../model/principal.ts';
import { fingerprint } from '../transport/keys.ts';
import type { OpenWorkerDesk } from './link/worker-desk.ts';
import type { RenewedKey } from './link/key-renewals.ts';
import { OperatorError } from './operator.ts';
import type { KeyRotation } from './views/worker.ts';
import { shown } from './operator-names.ts';
import { whyNotRenewed } from './people/next-key.ts';
import type { People } from './people/people.ts';

export interface KeySources {
  readonly people: People;
  readonly desk: Pick<OpenWorkerDesk, 'renewKey'>;
}

/** Lets a worker, or all of them (`undefined`), have another key; one view each, by name. */
export async function rotateKeys(sources: KeySources, name: string | undefined): Promise<readonly KeyRotation[]> {
  const workers = sources.people
    .list()
    .filter(({ role, revokedAtMs }) => role === 'worker' && revokedAtMs === undefined);
  if (name === undefined) return await Promise.all(workers.map((worker) => rotate(sources, worker)));
  const worker = workers.find((one) => one.name === name);
  if (!worker) throw new OperatorError('not-found', `no worker ${shown(name)} is admitted; "workers" lists them`);
  return [await rotate(sources, worker)];
}

async function rotate({ people, desk }: KeySources, worker: Principal): Promise<KeyRotation> {
  const { name } = worker;
  const why = whyNotRenewed(worker);
  const renewed: RenewedKey = why === undefined ? await desk.renewKey(name) : { outcome: 'refused', message: why };
  if (renewed.outcome === 'rotated') {
    return { worker: name, outcome: 'rotated', fingerprint: renewed.fingerprint, message: 'it has a new key' };
  }
  const known = people.list().find((one) => one.name === name)?.keys[0];
  const message = renewed.outcome === 'refused' ? renewed.message : WHY[renewed.outcome];
  return { worker: name, outcome: renewed.outcome, fingerprint: known ? fingerprint(known) : null, message };
}

const WHY: Readonly<Record<Exclude<KeyRotation['outcome'], 'rotated' | 'refused'>, string>> = {
  away: 'it is not connected: try again when it is',
  'too old': 'its version cannot change its key: upgrade it, or "worker revoke" and "worker add" with a new key',
  'no answer': 'it has not come back with a new key yet; that goes on by itself when it does: look at its log',
};
