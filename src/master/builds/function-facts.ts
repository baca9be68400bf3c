import type { RequestFacts, WorkerFacts } from '../../config/function-facts.ts';
import type { ConfigShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { WorkerRecord } from '../../model/worker.ts';

/** What functions of the configuration see of a request. */
export function requestFacts(request: BuildRequest): RequestFacts {
  const { id, project, builder, reason, owner, priority, source, properties, submittedAtMs } = request;
  return { id, project, builder, reason, owner, priority, source, properties, submittedAtMs };
}

/** What they see of a worker, on which so many builds run. */
export function workerFacts(
  config: ConfigShape,
  name: string,
  record: Pick<WorkerRecord, 'facts'> | undefined,
  running: number,
): WorkerFacts {
  const shape = config.workers.find((worker) => worker.name === name);
  return {
    name,
    running,
    maxBuilds: shape?.maxBuilds ?? 0,
    labels: shape?.labels ?? {},
    facts: record?.facts ?? {},
    ...(shape?.host !== undefined && { host: shape.host }),
  };
}
