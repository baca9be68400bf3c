import type { Clock } from '../base/clock.ts';
import type { Bus } from '../bus/bus.ts';
import { isBeingChecked } from '../model/build.ts';
import type { Build } from '../model/build.ts';
import type { Store } from '../store/store.ts';
import { StoreError } from '../store/store.ts';
import { audited } from './audit.ts';
import type { Builds } from './builds/builds.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import { buildSetId, findBuild, noRequest, noSet, requestId, shown } from './operator-names.ts';

interface StopSources {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly builds: Pick<Builds, 'stop'>;
}

const REASON_MAX = 1_000;

/** Stops a build, takes a waiting request (`request:ID`) out of the queue, or does so with all of a build set (`set:ID`). */
export async function stopBuild(sources: StopSources, asker: Asker, name: string, reason: string): Promise<void> {
  const { store, builds } = sources;
  const why = reason.slice(0, REASON_MAX);
  const request = requestId(name);
  const set = buildSetId(name);
  const action = { action: 'stop', target: name, detail: { reason: why }, role: 'developer' } as const;
  await audited(sources, asker, action, async () => {
    if (request !== undefined) return await cancelRequest(sources, request, why);
    if (set !== undefined) return await stopSet(sources, set, why);
    const { id } = await findBuild(store, name);
    if (await builds.stop(id, why)) return;
    const ended = await findBuild(store, name);
    throw new OperatorError('conflict', `build ${shown(name)} is finished ${await ending(store, ended)}`);
  });
}

async function stopSet({ store, clock }: StopSources, id: number, reason: string): Promise<void> {
  if ((await store.requests.stopSet(id, reason, clock.now())) > 0) return;
  if ((await store.requests.ofSet(id)).length === 0) throw noSet(id);
  throw new OperatorError('conflict', `all of build set ${id} has ended`);
}

async function cancelRequest(sources: StopSources, id: number, reason: string): Promise<void> {
  const { store, bus, clock, builds } = sources;
  for (;;) {
    const request = await store.requests.find(id);
    if (!request) throw noRequest(id);
    const { state, buildId } = request;
    const build = state === 'claimed' && buildId !== undefined ? await store.builds.find(buildId) : undefined;
    if (state === 'claimed' && !build) continue;
    try {
      if (state === 'pending') {
        await store.requests.cancel(id, reason, clock.now());
        return bus.publish('requests', id);
      }
      // One whose build is only being checked waits, for all that people see.
      if (build && isBeingChecked(build) && (await builds.stop(build.id, reason))) return;
    } catch (error) {
      // It was claimed, or given back, in this moment: it is stopped as what it is now.
      const isOvertaken = error instanceof StoreError && (error.code === 'lost-claim' || error.code === 'not-found');
      if (!isOvertaken) throw error;
      continue;
    }
    const became = state === 'finished' ? 'has ended' : `is build ${buildId} now: stop that`;
    throw new OperatorError('conflict', `request ${id} ${became}`);
  }
}

/** Whoever wants a build stopped that was retried means the one in its place. */
async function ending(store: Store, build: Build): Promise<string> {
  const result = `(${build.result ?? 'no result'})`;
  const request = build.result === 'retry' && (await store.requests.find(build.requestId));
  if (!request || request.state === 'finished') return result;
  const next =
    request.state === 'pending'
      ? `waits again: stop request:${request.id}`
      : `is build ${request.buildId} now: stop that`;
  return `${result}, but its request ${next}`;
}
