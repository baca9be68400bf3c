import { readFile } from 'node:fs/promises';

/** How many things of each kind a heap holds: `object Map`, `closure onClose`. */
export type Census = ReadonlyMap<string, number>;

/** Strings, numbers and compiled code come and go as V8 pleases; these stay as long as somebody holds them. */
const KINDS = ['object', 'closure', 'regexp', 'native'];

interface Snapshot {
  readonly snapshot: {
    readonly meta: { readonly node_fields: readonly string[]; readonly node_types: readonly [string[]] };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

/** Counts what is in a snapshot that V8 wrote. */
export async function readCensus(file: string): Promise<Census> {
  const { snapshot, nodes, strings } = JSON.parse(await readFile(file, 'utf8')) as Snapshot;
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, name] = [fields.indexOf('type'), fields.indexOf('name')];
  const census = new Map<string, number>();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = types[0][nodes[at + type] ?? -1] ?? '';
    if (!KINDS.includes(kind)) continue;
    const key = `${kind} ${strings[nodes[at + name] ?? -1] ?? ''}`;
    census.set(key, (census.get(key) ?? 0) + 1);
  }
  return census;
}

export interface Growth {
  readonly kind: string;
  readonly more: number;
  readonly now: number;
}

/** The kinds of which there are at least so many more; the most grown first. */
export function grown(before: Census, after: Census, least: number): readonly Growth[] {
  return Array.from(after, ([kind, now]) => ({ kind, now, more: now - (before.get(kind) ?? 0) }))
    .filter(({ more }) => more >= least)
    .toSorted((a, b) => b.more - a.more);
}
