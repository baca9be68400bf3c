/** What can be stored and sent to the thread of user code. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** More in one value, or deeper, is no value of a property: what walks it must come to an end. */
const JSON_VALUES_MAX = 100_000;
const JSON_DEPTH_MAX = 100;

/** Whether it is JSON and nothing else, whatever it is: no function, no date, no number that JSON cannot hold, no circle. */
export function isJson(value: unknown): value is Json {
  const left: { readonly one: unknown; readonly depth: number }[] = [{ one: value, depth: 0 }];
  for (let seen = 0; seen < JSON_VALUES_MAX; seen++) {
    const next = left.pop();
    if (!next) return true;
    const parts = partsOf(next.one);
    if (!parts || parts.length > JSON_VALUES_MAX || (next.depth === JSON_DEPTH_MAX && parts.length > 0)) return false;
    for (const one of parts) left.push({ one, depth: next.depth + 1 });
  }
  return false;
}

/** What a value is made of; undefined: it is no JSON. */
function partsOf(value: unknown): readonly unknown[] | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return [];
  if (typeof value === 'number') return Number.isFinite(value) ? [] : undefined;
  if (typeof value !== 'object') return undefined;
  if (Array.isArray(value)) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.values(value) : undefined;
}
