import type { JsonObject } from '../../model/json.ts';
import type { WaitingRequest } from '../store.ts';
import { splitParent } from './parents.ts';
import type { ParentRow } from './parents.ts';
import { fromJson } from './row.ts';
import { splitSource } from './source-stamps.ts';
import type { SourceRow } from './source-stamps.ts';

/** Columns that are keys of a request as they are; NULL is an absent key. */
const OWN: Readonly<Record<Exclude<keyof WaitingRequest, 'source' | 'parent' | Text>, true>> = {
  id: true,
  buildSetId: true,
  project: true,
  builder: true,
  priority: true,
  reason: true,
  owner: true,
  scheduler: true,
  externalId: true,
  submittedAtMs: true,
  rankAtMs: true,
  worker: true,
  approval: true,
  notBeforeMs: true,
  deadlineMs: true,
  collapsedInto: true,
  cause: true,
  buildId: true,
};
const SOURCE: Readonly<Record<keyof SourceRow, true>> = {
  repository: true,
  branch: true,
  revision: true,
  patchId: true,
  patchSha256: true,
  patchBytes: true,
  untrustedOf: true,
};
const PARENT: Readonly<Record<keyof ParentRow, true>> = { parentBuildId: true, parentWaits: true };
type Text = 'properties' | 'propertySources';

const COLUMNS = Object.keys({ properties: true, propertySources: true, ...OWN, ...SOURCE, ...PARENT });
const OWN_AT = placesOf(OWN);
const SOURCE_AT = placesOf(SOURCE);
const PARENT_AT = placesOf(PARENT);

type Value = string | number | null;

/**
 * A query for all rows of another as one text, a line each (JSON has no line breaks of its own): the queue is read in every round,
 * and as rows of their own ten thousand of them would hold up the master for half a second.
 */
export function asLines(select: string): string {
  return `SELECT group_concat(json_array(${COLUMNS.map((column) => `q.${column}`).join(', ')}), char(10)) AS lines FROM (${select}) q`;
}

/** Reads the queue again and again: a request whose line is as it was is the same object as before. */
export class PendingRequests {
  #known: ReadonlyMap<string, WaitingRequest> = new Map();

  read(lines: string | null): readonly WaitingRequest[] {
    const requests = new Map<string, WaitingRequest>();
    for (const line of lines?.split('\n') ?? []) requests.set(line, this.#known.get(line) ?? toWaiting(line));
    this.#known = requests;
    return [...requests.values()];
  }
}

function toWaiting(line: string): WaitingRequest {
  const values = JSON.parse(line) as readonly [properties: string, sources: string | null, ...Value[]];
  const [properties, propertySources] = values;
  const [source] = splitSource(pick(values, SOURCE_AT, true) as unknown as SourceRow);
  const [parent] = splitParent(pick(values, PARENT_AT, true) as unknown as ParentRow);
  const own = pick(values, OWN_AT, false) as unknown as Omit<WaitingRequest, 'source' | 'parent' | Text>;
  let read: JsonObject | undefined;
  return {
    ...own,
    source,
    ...parent,
    ...(propertySources !== null && { propertySources: fromJson(propertySources) as Record<string, string> }),
    // Whoever walks along the queue wants none of them, and there may be many.
    get properties() {
      return (read ??= fromJson(properties) as JsonObject);
    },
  };
}

type Places = readonly (readonly [column: string, at: number])[];

function placesOf(columns: Readonly<Record<string, true>>): Places {
  return Object.keys(columns).map((column) => [column, COLUMNS.indexOf(column)]);
}

function pick(values: readonly Value[], places: Places, isWithNulls: boolean): Readonly<Record<string, Value>> {
  const picked: Record<string, Value> = {};
  for (const [column, at] of places) {
    const value = values[at] ?? null;
    if (isWithNulls || value !== null) picked[column] = value;
  }
  return picked;
}
