import type { Property } from '../../model/build.ts';
import type { BuilderShape, ConfigShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';
import type { Json, JsonObject } from '../../model/json.ts';
import type { CommandRecord } from '../../model/command.ts';
import type { StepAnswer } from '../../config/code-host.ts';

/**
 * The properties that a build begins with, and where each came from. What is closer to it wins: the configuration's, the builder's,
 * the worker's, then what whoever asked for it says (which has the change's and the scheduler's in it).
 */
export function initialProperties(
  request: BuildRequest,
  worker: string,
  config: Pick<ConfigShape, 'properties' | 'workers'>,
  ofBuilder: Pick<BuilderShape, 'properties'>,
): readonly Property[] {
  const { project, builder, source, owner, scheduler, properties, propertySources = {} } = request;
  const known: Record<string, Json | undefined> = {
    project,
    builder,
    worker,
    owner,
    scheduler,
    repository: source.repository,
    branch: source.branch,
    revision: source.revision,
  };
  const joined = new Map<string, Property>();
  for (const [name, value] of Object.entries(known)) {
    if (value !== undefined) joined.set(name, { name, value, source: 'build' });
  }
  const levels = {
    master: config.properties,
    builder: ofBuilder.properties,
    worker: config.workers.find(({ name }) => name === worker)?.properties,
  };
  for (const [level, given = {}] of Object.entries(levels)) {
    for (const [name, value] of Object.entries(given)) joined.set(name, { name, value, source: level });
  }
  for (const [name, value] of Object.entries(properties)) {
    joined.set(name, { name, value, source: propertySources[name] ?? 'request' });
  }
  return [...joined.values()];
}

/**
 * The properties as they were when a step began, also when the step runs again and has set some already: what the build
 * began with, and what earlier steps set, in their order.
 */
export function propertiesBefore(
  step: number,
  initial: readonly Property[],
  records: readonly CommandRecord[],
): JsonObject {
  const properties = new Map<string, Json>(initial.map(({ name, value }) => [name, value]));
  const writes = records
    .filter((record) => record.kind === 'setProperty' && record.step < step && isDone(record))
    .toSorted((a, b) => a.step - b.step || (a.answeredAs ?? 0) - (b.answeredAs ?? 0));
  for (const { call } of writes) {
    const { name, value } = call as { readonly name: string; readonly value: Json };
    properties.set(name, value);
  }
  return Object.fromEntries(properties);
}

function isDone(record: CommandRecord): boolean {
  return record.state === 'finished' && 'ok' in (record.answer as StepAnswer);
}
