import { formatPublicKey } from '../transport/keys.ts';
import type { Store } from '../store/store.ts';
import type { HostKeys } from './host-keys.ts';
import type { OpenWorkerDesk } from './link/worker-desk.ts';
import { OperatorError } from './operator.ts';
import type { HostKeyStatus, HostKeyWorker } from './views/master.ts';
import type { People } from './people/people.ts';

export interface HostKeySources {
  readonly store: Store;
  readonly people: Pick<People, 'list'>;
  readonly hostKeys: HostKeys;
  readonly desk: Pick<OpenWorkerDesk, 'connected' | 'learnsHostKeys'>;
}

/** Which workers do not trust the next host key yet; without a next one, the current one. */
export async function hostKeyStatus({ store, people, hostKeys, desk }: HostKeySources): Promise<HostKeyStatus> {
  const { current, next, retired } = hostKeys;
  const [held, records] = await Promise.all([store.hostKeys.list(), store.workers.list()]);
  const seen = new Set(records.filter(({ sinceMs }) => sinceMs !== undefined).map(({ name }) => name));
  const connected = desk.connected();
  const wanted = (next ?? current).fingerprint;
  const workers = people
    .list()
    .filter(({ role, revokedAtMs }) => role === 'worker' && revokedAtMs === undefined)
    .map(({ name }): HostKeyWorker => {
      const isHere = connected.has(name);
      // What an installation of before has said is of no matter.
      if (isHere && !desk.learnsHostKeys(name)) return { worker: name, knows: false, why: 'too old' };
      if (held.get(name)?.includes(wanted)) return { worker: name, knows: true, why: null };
      if (!seen.has(name)) return { worker: name, knows: false, why: 'never seen' };
      return { worker: name, knows: false, why: isHere ? 'not yet' : 'away' };
    });
  return {
    current: current.fingerprint,
    next: next?.fingerprint ?? null,
    nextKey: next ? formatPublicKey({ ...next.publicKey, comment: '' }) : null,
    retired,
    workers,
  };
}

/** Puts the next host key into the place of the current one; resolves to the workers that do not know it, which `force` is for. */
export async function useHostKey(
  sources: HostKeySources,
  force: boolean,
): Promise<{ readonly fingerprint: string; readonly without: readonly string[] }> {
  const { hostKeys } = sources;
  const { next } = hostKeys;
  if (!next)
    throw new OperatorError('conflict', 'there is no next host key: make it with "trunkline master hostkey next DIR"');
  const { workers } = await hostKeyStatus(sources);
  const without = workers.filter(({ knows }) => !knows).map(({ worker }) => worker);
  if (without.length > 0 && !force) {
    const named = workers
      .filter(({ knows }) => !knows)
      .slice(0, MOST_NAMED)
      .map(({ worker, why }) => `${worker} (${why})`)
      .join(', ');
    const more = without.length > MOST_NAMED ? ` and ${without.length - MOST_NAMED} more` : '';
    throw new OperatorError(
      'conflict',
      `${named}${more} would be shut out, for they do not know the next host key: wait for them, revoke them, or use --force and put ${next.fingerprint} into hostKeys of their worker.json`,
    );
  }
  await hostKeys.use(next);
  return { fingerprint: next.fingerprint, without };
}

const MOST_NAMED = 10;
