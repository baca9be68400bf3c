import type { RetryCause } from '../../model/build-request.ts';
import type { Store } from '../../store/store.ts';
import { joinNamed } from './join-named.ts';
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
export function requestsWithUpstreams(store: Pick<Store, 'requests'>): HoldSource {
  return async () => {
    const holds = new Map<number, Hold>();
    for (const [id, upstreams] of await store.requests.upstreams()) {
      const named = upstreams.map((one) =>
        one.buildId === undefined
          ? `${one.project}/${one.builder} request ${one.id}`
          : `${one.project}/${one.builder} build ${one.buildId}`,
      );
      holds.set(id, { text: `waits for what its project depends on: ${joinNamed(named)}` });
    }
    return holds;
  };
}

function timeOfDay(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(11, 19)} UTC`;
}
