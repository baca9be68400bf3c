import { showDuration } from '../../config/duration.ts';

/** An end of a build that its steps have no say in. */
export interface ForcedEnd {
  readonly result: 'cancelled' | 'exception' | 'retry';
  /** For people: why. */
  readonly summary: string;
}

export function workerLost(worker: string, graceMs: number): ForcedEnd {
  return { result: 'retry', summary: `worker ${worker} was lost: nothing heard for ${showDuration(graceMs)}` };
}

export function workerRevoked(worker: string): ForcedEnd {
  return { result: 'exception', summary: `worker revoked: ${worker} is not admitted any more` };
}
