import type { Json } from '../../model/json.ts';

/** Text that is the same for equal values, whatever the order of their keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** What would be stored of a value: keys that are undefined are not there. */
export function asStored(value: unknown): Json {
  return JSON.parse(JSON.stringify(value ?? null)) as Json;
}

const SHOWN = 300;

/** A call in one line, cut to a length that people read. */
export function callText(kind: string, args: unknown): string {
  const text = `${kind} ${canonical(args)}`;
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${text.length} characters)` : text;
}
