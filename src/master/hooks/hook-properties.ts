import type { HookShape } from '../../config/shape.ts';
import { errorText } from '../../base/errors.ts';
import type { Json, JsonObject } from '../../model/json.ts';
import type { ClassifyTools } from '../changes/classify.ts';
import { checkProperties } from '../operator-wish.ts';

/** Of a function over one delivery. */
const FUNCTION_LIMIT_MS = 10_000;
/** A title, a list of labels: what is longer is a text, and no property. */
const VALUE_BYTES_MAX = 4_096;

export interface HookProperties {
  readonly properties: JsonObject;
  /** What is no property of the changes, and why. */
  readonly problems: readonly string[];
}

/**
 * What a project wants to know of a delivery, as properties of its changes. Whatever cannot be told is left out and said: nothing is
 * left unbuilt for it. Never rejects.
 */
export async function hookProperties(
  { name, hook }: { readonly name: string; readonly hook?: HookShape },
  event: string,
  payload: unknown,
  ask: ClassifyTools['ask'],
): Promise<HookProperties> {
  const wanted = hook?.properties;
  if (!wanted) return { properties: {}, problems: [] };
  if (!('function' in wanted)) return bounded(wanted.map((path) => [path, valueAt(payload, path)]));
  const answer = await ask(`project ${name}/hook/properties`, [event, payload as Json], FUNCTION_LIMIT_MS);
  if ('error' in answer) return problem(answer.error);
  const { ok } = answer;
  if (ok === null) return { properties: {}, problems: [] };
  if (typeof ok === 'object' && !Array.isArray(ok)) return bounded(Object.entries(ok));
  return problem(`it answered ${JSON.stringify(ok)}, not { name: value }`);
}

function bounded(values: readonly (readonly [string, Json | undefined])[]): HookProperties {
  const kept: [string, Json][] = [];
  const problems: string[] = [];
  for (const [name, value] of values) {
    // An event has not all that others have.
    if (value === undefined) continue;
    const bytes = Buffer.byteLength(JSON.stringify(value));
    if (bytes <= VALUE_BYTES_MAX) kept.push([name, value]);
    else problems.push(told(`${name.slice(0, 100)} has ${bytes} bytes, and a property has at most ${VALUE_BYTES_MAX}`));
  }
  const properties = Object.fromEntries(kept);
  try {
    checkProperties(properties);
  } catch (error) {
    return problem(errorText(error));
  }
  return { properties, problems };
}

/** What the payload itself has at a place like `pull_request.labels.0.name`. */
function valueAt(payload: unknown, path: string): Json | undefined {
  let value = payload;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value as Json;
}

function problem(what: string): HookProperties {
  return { properties: {}, problems: [told(what)] };
}

function told(what: string): string {
  return `properties of the hook: ${what}`;
}
