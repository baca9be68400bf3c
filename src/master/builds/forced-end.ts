/** An end of a build that its steps have no say in. */
export interface ForcedEnd {
  readonly result: 'cancelled' | 'exception' | 'retry';
  /** For people: why. */
  readonly summary: string;
}

export function workerRevoked(worker: string): ForcedEnd {
  return { result: 'exception', summary: `worker revoked: ${worker} is not admitted any more` };
}
