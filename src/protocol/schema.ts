/**
 * A small schema language for what comes off the wire. A checker takes an unknown value and gives back a checked copy that
 * holds the declared keys only (unknown keys are ignored, so that a newer peer may add some), or throws a `SchemaError`.
 * Every text, list, map and byte string has a declared limit.
 */
export interface Checker<T> {
  (value: unknown, path: string): T;
  /** What it takes, in words: `docs/protocol.md` has the same, and a test compares the two. */
  readonly told?: string;
  /** Of a map of declared keys. */
  readonly shape?: Shape;
  /** Of a list, or of a map with any keys. */
  readonly item?: Checker<unknown>;
  readonly isOptional?: boolean;
}

export type Checked<C> = C extends Checker<infer T> ? T : never;

export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

function saying<T>(told: string, check: Checker<T>): Checker<T> {
  return Object.assign(check, { told });
}

function fail(path: string, wanted: string): never {
  throw new SchemaError(`${path || 'message'}: expected ${wanted}`);
}

export function text(maxLength: number): Checker<string> {
  return saying(`text ≤ ${maxLength}`, (value, path) =>
    typeof value === 'string' && value.length <= maxLength
      ? value
      : fail(path, `text of at most ${maxLength} characters`),
  );
}

export function matching(pattern: RegExp, maxLength: number): Checker<string> {
  const check = text(maxLength);
  return saying(`text ≤ ${maxLength} like ${pattern.source}`, (value, path) => {
    const checked = check(value, path);
    return pattern.test(checked) ? checked : fail(path, `text that matches ${pattern.source}`);
  });
}

export function integer(min = 0, max = Number.MAX_SAFE_INTEGER): Checker<number> {
  const told = max === Number.MAX_SAFE_INTEGER ? `integer ≥ ${min}` : `integer ${min} to ${max}`;
  return saying(told, (value, path) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : fail(path, `an integer from ${min} to ${max}`),
  );
}

export const flag: Checker<boolean> = saying('true or false', (value, path) =>
  typeof value === 'boolean' ? value : fail(path, 'true or false'),
);

export function oneOf<const T extends readonly string[]>(...names: T): Checker<T[number]> {
  const told = `one of ${names.join(', ')}`;
  return saying(told, (value, path) => names.find((name) => name === value) ?? fail(path, told));
}

/** The bytes alias the frame they came in: copy what is kept. */
export function bytes(maxBytes: number): Checker<Uint8Array> {
  return saying(`bytes ≤ ${maxBytes}`, (value, path) =>
    value instanceof Uint8Array && value.byteLength <= maxBytes ? value : fail(path, `at most ${maxBytes} bytes`),
  );
}

export function list<T>(item: Checker<T>, maxItems: number): Checker<readonly T[]> {
  const check: Checker<readonly T[]> = (value, path) => {
    if (!Array.isArray(value) || value.length > maxItems) return fail(path, `a list of at most ${maxItems}`);
    return value.map((entry: unknown, index) => item(entry, `${path}[${index}]`));
  };
  return Object.assign(check, { told: `list ≤ ${maxItems}`, item });
}

/** Text keys to values of one kind. Keys that JavaScript treats specially are refused. */
export function mapOf<T>(item: Checker<T>, maxItems: number, maxKeyLength = 256): Checker<Readonly<Record<string, T>>> {
  const check: Checker<Readonly<Record<string, T>>> = (value, path) => {
    const entries = Object.entries(plainObject(value, path));
    if (entries.length > maxItems) fail(path, `a map of at most ${maxItems}`);
    const checked: Record<string, T> = {};
    for (const [key, entry] of entries) {
      if (key.length > maxKeyLength || key === '__proto__') fail(path, `keys of at most ${maxKeyLength} characters`);
      checked[key] = item(entry, `${path}.${key}`);
    }
    return checked;
  };
  return Object.assign(check, { told: `map ≤ ${maxItems}, keys ≤ ${maxKeyLength}`, item });
}

type Optional<T> = Checker<T | undefined> & { readonly isOptional: true };

/** The key may be absent, or nil. */
export function optional<T>(checker: Checker<T>): Optional<T> {
  const check: Checker<T | undefined> = (value, path) =>
    value === undefined || value === null ? undefined : checker(value, path);
  const { told, shape, item } = checker;
  return Object.assign(check, {
    ...(told !== undefined && { told }),
    ...(shape && { shape }),
    ...(item && { item }),
    isOptional: true as const,
  });
}

type Shape = Readonly<Record<string, Checker<unknown>>>;
type OptionalKeys<S extends Shape> = { [K in keyof S]: S[K] extends Optional<unknown> ? K : never }[keyof S];
type Simplify<T> = { readonly [K in keyof T]: T[K] };
export type ObjectOf<S extends Shape> = Simplify<
  { [K in Exclude<keyof S, OptionalKeys<S>>]: Checked<S[K]> } & {
    [K in OptionalKeys<S>]?: Exclude<Checked<S[K]>, undefined>;
  }
>;

export function object<S extends Shape>(shape: S): Checker<ObjectOf<S>> {
  const fields = Object.entries(shape);
  const check: Checker<ObjectOf<S>> = (value, path) => {
    const source = plainObject(value, path);
    const checked: Record<string, unknown> = {};
    for (const [key, check] of fields) {
      const field = check(Object.hasOwn(source, key) ? source[key] : undefined, path ? `${path}.${key}` : key);
      if (field !== undefined) checked[key] = field;
    }
    return checked as ObjectOf<S>;
  };
  return Object.assign(check, { told: 'map', shape });
}

function plainObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    return fail(path, 'a map');
  }
  return value as Record<string, unknown>;
}
