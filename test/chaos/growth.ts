import type { DaemonMeasure } from './site.ts';

/** What has been through a storm may hold so many descriptors more than before it: connections of people, pools. */
const DESCRIPTORS_SLACK = 6;
/** And so much more heap, after a collection: caches that have a bound, compiled code. */
const HEAP_SLACK_MIB = 12;

/** What holds more than it did before the storm, at rest as it is now; a process that was started anew is held against its own kind. */
export function growth(before: readonly DaemonMeasure[], after: readonly DaemonMeasure[]): readonly string[] {
  return after.flatMap((now) => {
    const then = before.find(({ daemon }) => daemon === now.daemon);
    if (!then) return [`${now.daemon} was not there at the start`];
    return [
      ...(now.descriptors > then.descriptors + DESCRIPTORS_SLACK
        ? [`${now.daemon} holds ${now.descriptors} descriptors, ${then.descriptors} at the start`]
        : []),
      ...(now.heapMiB > then.heapMiB + HEAP_SLACK_MIB
        ? [`${now.daemon} uses ${now.heapMiB} MiB of heap, ${then.heapMiB} at the start`]
        : []),
    ];
  });
}
