import type { Clock } from '../base/clock.ts';
import type { QueuedView } from './views/request.ts';
import { requestView } from './operator-views.ts';
import { waitingRequests } from './operator-waiting.ts';
import type { WaitingSources } from './operator-waiting.ts';
import type { Distributor } from './queue/distributor.ts';
import { queueOrder } from './queue/queue-order.ts';

export interface QueueViewSources extends WaitingSources {
  readonly clock: Clock;
  readonly distributor: Pick<Distributor, 'reasons' | 'survey'>;
}

/** One answer names no more than so many. */
const QUEUE_MAX = 10_000;

/** All that waits, in the order in which it is looked at for a worker. */
export async function queueViews(sources: QueueViewSources): Promise<readonly QueuedView[]> {
  const waiting = await waitingRequests(sources);
  if (waiting.length === 0) return [];
  const collapsed = await sources.store.requests.collapsed(waiting.map(({ request }) => request.id));
  const nowMs = sources.clock.now();
  return waiting
    .toSorted((a, b) => queueOrder(a.request, b.request))
    .slice(0, QUEUE_MAX)
    .map(({ request, waitsFor }, index) => ({
      ...requestView(request, waitsFor),
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
