import type { Clock } from '../base/clock.ts';
import type { Bus } from '../bus/bus.ts';
import type { Store } from '../store/store.ts';
import { OperatorError } from './operator.ts';
import type { ForceProgress } from './operator.ts';
import { buildView, requestView } from './operator-views.ts';
import { Wake } from './wake.ts';

export interface WatchSources {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly reasons: () => Promise<ReadonlyMap<number, string>>;
}

const SLOW_MS = 5_000;

/** What becomes of a request, each change once; ends after its build, or its end without one. */
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
    let told = '';
    let isFirst = true;
    while (!signal.aborted) {
      const request = await store.requests.find(requestId);
      if (!request) throw new OperatorError('not-found', `there is no request ${requestId}`);
      ({ buildId } = request);
      const build = buildId === undefined ? undefined : await store.builds.find(buildId);
      if (build) {
        const view = await buildView(store, build);
        const text = JSON.stringify(view);
        if (text !== told) yield { kind: 'build', build: view };
        told = text;
        if (build.state === 'finished') return;
      } else {
        if (request.result !== undefined) return;
        const reason = (await sources.reasons()).get(requestId);
        if (isFirst) yield { kind: 'queued', request: requestView(request, reason ?? 'it is being started') };
        else if (reason !== undefined && reason !== told) yield { kind: 'waits', reason };
        told = isFirst ? '' : (reason ?? told);
        if (isFirst) {
          isFirst = false;
          continue;
        }
      }
      isFirst = false;
      await wake.next();
    }
  } finally {
    wake.close();
  }
}
