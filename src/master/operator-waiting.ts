import { isBeingChecked } from '../model/build.ts';
import type { Store, WaitingRequest } from '../store/store.ts';
import { BEING_STARTED } from './operator-views.ts';

export interface WaitingSources {
  readonly store: Store;
  readonly distributor: { reasons(): Promise<ReadonlyMap<number, string>> };
}

interface Waiting {
  readonly request: WaitingRequest;
  /** For people. */
  readonly waitsFor: string;
}

/** All that waits, also for a word of its builder's `canStartBuild`. */
export async function waitingRequests(sources: WaitingSources): Promise<readonly Waiting[]> {
  const { store, distributor } = sources;
  const [pending, checked] = await Promise.all([store.requests.pending(), checkedRequests(store)]);
  if (pending.length === 0) return checked;
  const reasons = await distributor.reasons();
  const waiting = pending.map((request) => ({ request, waitsFor: reasons.get(request.id) ?? BEING_STARTED }));
  // One that was given back between the two readings is there once.
  const seen = new Set(pending.map(({ id }) => id));
  return [...checked.filter(({ request }) => !seen.has(request.id)), ...waiting];
}

async function checkedRequests(store: Store): Promise<readonly Waiting[]> {
  const builds = (await store.builds.running()).filter(isBeingChecked);
  const found = await Promise.all(
    builds.map(async ({ requestId, worker }): Promise<Waiting | undefined> => {
      const [request, tried] = await Promise.all([store.requests.find(requestId), store.builds.ofRequest(requestId)]);
      if (request?.state !== 'claimed') return undefined;
      const { buildId: _check, ...rest } = request;
      const buildId = tried.at(-1);
      return {
        request: { ...rest, ...(buildId !== undefined && { buildId }) },
        waitsFor: `canStartBuild of ${request.builder} is asked on ${worker}`,
      };
    }),
  );
  return found.filter((one) => one !== undefined);
}
