import type { Bus } from '../bus/bus.ts';
import type { ForceProgress } from './views/request.ts';
import { noRequest } from './operator-names.ts';
import { BEING_STARTED, buildView, requestView } from './operator-views.ts';
import type { ViewSources } from './operator-views.ts';
import { Wake } from './wake.ts';

export interface WatchSources extends ViewSources {
  readonly bus: Bus;
  readonly reasons: () => Promise<ReadonlyMap<number, string>>;
}

const SLOW_MS = 5_000;

/** What becomes of a request, each change once, from build to build while it is retried; ends with the request. */
export async function* watchRequest(
  sources: WatchSources,
  requestId: number,
  signal: AbortSignal,
): AsyncGenerator<ForceProgress> {
  const { store, bus, clock } = sources;
  let buildId: number | undefined;
  const wake = new Wake(clock, SLOW_MS)
    .on(bus, 'requests')
    .on(bus, 'workers')
    .on(bus, 'builds', (key) => key === buildId)
    .until(signal);
  try {
    const first = await store.requests.find(requestId);
    if (!first) throw noRequest(requestId);
    if (first.state === 'pending') {
      const reason = (await sources.reasons()).get(requestId);
      yield { kind: 'queued', request: requestView(first, reason ?? BEING_STARTED) };
    }
    let toldBuild = '';
    let toldReason = '';
    // Builds in their order, so that one that came and went between two looks is told, too.
    let at = Math.max(0, (await store.builds.ofRequest(requestId)).length - 1);
    while (!signal.aborted) {
      // Read before its builds: a request that is finished here gets none any more.
      const request = await store.requests.find(requestId);
      const ids = await store.builds.ofRequest(requestId);
      buildId = ids[at];
      const build = buildId === undefined ? undefined : await store.builds.find(buildId);
      if (build) {
        const view = await buildView(sources, build);
        // When it is away, not for how long: that changes with every look.
        const text = JSON.stringify({ ...view, workerAway: view.workerAway !== null });
        if (text !== toldBuild) yield { kind: 'build', build: view };
        toldBuild = text;
        if (build.state === 'finished') {
          if (build.result !== 'retry') return;
          at += 1;
          toldReason = '';
          continue;
        }
      } else {
        if (request?.state === 'finished') {
          // With `retry` its last build said so: there were too many.
          if (request.result !== 'retry') {
            yield { kind: 'ended', result: request.result ?? 'cancelled', reason: request.summary ?? null };
          }
          return;
        }
        const reason = (await sources.reasons()).get(requestId);
        if (reason !== undefined && reason !== toldReason) yield { kind: 'waits', reason };
        toldReason = reason ?? toldReason;
      }
      await wake.next();
    }
  } finally {
    wake.close();
  }
}
