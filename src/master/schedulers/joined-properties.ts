import type { JsonObject } from '../../model/json.ts';
import type { NewBuildSet } from '../../store/store.ts';

/** The properties of a build set: its scheduler's, and over them those that came with what it is made for, each with its source. */
export function joinedProperties(
  ofScheduler: JsonObject,
  given: JsonObject,
  source: 'request' | 'trigger',
): Pick<NewBuildSet, 'properties' | 'propertySources'> {
  const sources = Object.fromEntries([
    ...Object.keys(ofScheduler).map((name) => [name, 'scheduler']),
    ...Object.keys(given).map((name) => [name, source]),
  ]) as Readonly<Record<string, string>>;
  return { properties: { ...ofScheduler, ...given }, propertySources: sources };
}
