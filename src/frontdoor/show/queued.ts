import { plain } from '../../base/plain.ts';
import type { RequestView } from '../../master/views/request.ts';

/** A line for each of the requests that were just made. */
export function queuedLines(requests: readonly RequestView[]): string {
  return requests
    .map(({ id, project, builder, waitsFor }) => plain(`request ${id} of ${project}/${builder} is queued: ${waitsFor}`))
    .map((line) => `${line}\n`)
    .join('');
}
