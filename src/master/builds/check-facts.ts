import type { CheckFacts } from '../../config/function-facts.ts';
import type { ConfigShape } from '../../config/shape.ts';
import type { Build } from '../../model/build.ts';
import type { Store } from '../../store/store.ts';
import { requestFacts, workerFacts } from './function-facts.ts';

/** What functions see that are asked about a claimed build: its request, and its worker without it. */
export async function checkFacts(store: Store, build: Build, config: ConfigShape): Promise<CheckFacts> {
  const [request, record, running] = await Promise.all([
    store.requests.find(build.requestId),
    store.workers.find(build.worker),
    store.builds.running(),
  ]);
  if (!request) throw new Error(`build ${build.id} has lost its request`);
  const others = running.filter(({ id, worker }) => worker === build.worker && id !== build.id).length;
  return { request: requestFacts(request), worker: workerFacts(config, build.worker, record, others) };
}
