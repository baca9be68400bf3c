import { showDuration } from '../../config/duration.ts';
import type { WhenWorkerLost } from '../../model/lost-worker.ts';

/** An end of a build that its steps have no say in. */
export interface ForcedEnd {
  readonly result: 'cancelled' | 'exception' | 'retry';
  /** For people: why. */
  readonly summary: string;
}

export function workerLost(worker: string, graceMs: number): ForcedEnd {
  return { result: 'retry', summary: `worker ${worker} was lost: nothing heard for ${showDuration(graceMs)}` };
}

/** It is retried when it would be retried if its worker were lost. */
export function workerRetired(worker: string, rule: WhenWorkerLost): ForcedEnd {
  return { result: rule === 'wait' ? 'exception' : 'retry', summary: `worker ${worker} was retired` };
}

export function workerRevoked(worker: string): ForcedEnd {
  return { result: 'exception', summary: `worker revoked: ${worker} is not admitted any more` };
}
