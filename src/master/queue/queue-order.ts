import type { BuildRequest } from '../../model/build-request.ts';

/** So long a wait weighs as much as one point of priority. */
export const PRIORITY_POINT_MS = 3_600_000;

/**
 * A place in the queue; the lowest goes first. It never changes: what waits grows older at the same pace, and only a higher
 * priority overtakes.
 */
export function rankOf({ priority, rankAtMs }: { readonly priority: number; readonly rankAtMs: number }): number {
  return rankAtMs - priority * PRIORITY_POINT_MS;
}

/** One order for the whole farm. */
export function queueOrder(a: BuildRequest, b: BuildRequest): number {
  return rankOf(a) - rankOf(b) || a.id - b.id;
}
