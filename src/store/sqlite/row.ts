import type { Json } from '../../model/json.ts';
import { StoreError } from '../store.ts';

type Present<T> = { [K in keyof T as null extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as null extends T[K] ? K : never]?: Exclude<T[K], null>;
};

/** A row as it comes: absent keys are NULL. */
export type Nullable<T> = { [K in keyof T]-?: undefined extends T[K] ? Exclude<T[K], undefined> | null : T[K] };

/** Columns that are NULL become absent keys. */
export function present<T extends object>(row: T): Present<T> {
  const present: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(row)) if (value !== null) present[key] = value;
  return present as Present<T>;
}

/** A JSON column that this store wrote. */
export function fromJson(text: string): Json {
  return JSON.parse(text) as Json;
}

export function mustBeOne(changes: number, what: string): void {
  if (changes === 0) throw new StoreError('not-found', `there is no ${what}`);
}

export function orNull<T>(value: T | undefined): T | null {
  return value ?? null;
}
