import type { ConfigShape } from '../../config/shape.ts';
import type { RetryCause } from '../../model/build-request.ts';
import type { Store } from '../../store/store.ts';
import { joinNamed } from './join-named.ts';
import { mayBeNamed } from './may-be-named.ts';
import type { Hold } from './queue-state.ts';
import type { HoldSource } from './read-queue.ts';

const AFTER: Readonly<Record<RetryCause, string>> = {
  lost: 'its worker was lost, or a step wants it',
  exception: 'it ended as an exception',
  failure: 'it failed',
};

/** Requests that are tried again, but not at once. */
export const pausedRequests: HoldSource = (requests, nowMs) => {
  const holds = new Map<number, Hold>();
  for (const { id, notBeforeMs, cause } of requests) {
    if (notBeforeMs === undefined || notBeforeMs <= nowMs) continue;
    const after = cause !== undefined && cause in AFTER ? AFTER[cause as RetryCause] : 'its last build';
    const text = `pauses until ${timeOfDay(notBeforeMs)} before it is tried again: ${after}`;
    holds.set(id, { text, untilMs: notBeforeMs });
  }
  return Promise.resolve(holds);
};

/** Requests whose project depends on others that have changes to build first. Their end wakes the queue. */
export function requestsWithUpstreams(store: Pick<Store, 'requests'>, config: () => ConfigShape): HoldSource {
  return async (requests) => {
    const holds = new Map<number, Hold>();
    const all = await store.requests.upstreams();
    for (const { id, project: reader } of all.size === 0 ? [] : requests) {
      const upstreams = all.get(id);
      if (!upstreams) continue;
      const named = upstreams.map(({ id: request, project, builder, buildId }) => {
        const one = buildId === undefined ? `request ${request}` : `build ${buildId}`;
        return mayBeNamed(project, reader, config()) ? `${project}/${builder} ${one}` : one;
      });
      holds.set(id, { text: `waits for what its project depends on: ${joinNamed(named)}` });
    }
    return holds;
  };
}

function timeOfDay(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(11, 19)} UTC`;
}
