import type { Clock } from '../base/clock.ts';
import type { Store } from '../store/store.ts';
import type { QueuedView } from './views/request.ts';
import { BEING_STARTED, requestView } from './operator-views.ts';
import type { Distributor } from './queue/distributor.ts';
import { queueOrder } from './queue/queue-order.ts';

export interface QueueViewSources {
  readonly store: Store;
  readonly clock: Clock;
  readonly distributor: Pick<Distributor, 'reasons' | 'survey'>;
}

/** One answer names no more than so many. */
const QUEUE_MAX = 10_000;

/** All that waits, in the order in which it is looked at for a worker. */
export async function queueViews({ store, clock, distributor }: QueueViewSources): Promise<readonly QueuedView[]> {
  const pending = await store.requests.pending();
  if (pending.length === 0) return [];
  const reasons = await distributor.reasons();
  const collapsed = await store.requests.collapsed(pending.map(({ id }) => id));
  const nowMs = clock.now();
  return pending
    .toSorted(queueOrder)
    .slice(0, QUEUE_MAX)
    .map((request, index) => ({
      ...requestView(request, reasons.get(request.id) ?? BEING_STARTED),
      position: index + 1,
      priority: request.priority,
      buildSet: request.buildSetId,
      collapsed: collapsed.get(request.id) ?? [],
      deadlineMs: request.deadlineMs ?? null,
      ageMs: Math.max(0, nowMs - request.submittedAtMs),
      branch: request.source.branch ?? null,
      revision: request.source.revision ?? null,
    }));
}
