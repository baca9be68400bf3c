import type { JsonObject } from '../../model/json.ts';
import type { NewBuildSet } from '../../store/store.ts';

type Source = 'change' | 'scheduler' | 'request' | 'trigger';

/** The properties of a build set with their sources; what comes later wins. */
export function joinedProperties(
  ...parts: readonly (readonly [source: Source, properties: JsonObject])[]
): Pick<NewBuildSet, 'properties' | 'propertySources'> {
  const sources = parts.flatMap(([source, properties]) =>
    Object.keys(properties).map((name) => [name, source] as const),
  );
  return {
    properties: Object.assign({}, ...parts.map(([, properties]) => properties)) as JsonObject,
    propertySources: Object.fromEntries(sources),
  };
}
