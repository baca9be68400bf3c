import type { Json } from '../../model/json.ts';

/** What `force({ parameters })` takes: made by the functions below, checked by `schema.ts`. */
export type ParameterConfig = { readonly kind: 'parameter'; readonly label?: string; readonly required?: boolean } & (
  | {
      readonly type: 'choice';
      readonly choices: readonly string[];
      readonly multiple?: boolean;
      readonly default?: string | readonly string[];
    }
  | { readonly type: 'int'; readonly min?: number; readonly max?: number; readonly default?: number }
  | { readonly type: 'text'; readonly maxLength?: number; readonly pattern?: string; readonly default?: string }
  | { readonly type: 'bool'; readonly default?: boolean }
  | { readonly type: 'fixed'; readonly default: Json }
);

interface Common<T> {
  /** What people call it. */
  readonly label?: string;
  /** It has to be given; then it has no default. */
  readonly required?: boolean;
  readonly default?: T;
}

/** One of some texts; with `multiple` a list of them, which people write with commas between. */
export function choice(
  choices: readonly string[],
  options: Common<string | readonly string[]> & { readonly multiple?: boolean } = {},
): ParameterConfig {
  return { ...options, kind: 'parameter', type: 'choice', choices };
}

/** A whole number. */
export function int(options: Common<number> & { readonly min?: number; readonly max?: number } = {}): ParameterConfig {
  return { ...options, kind: 'parameter', type: 'int' };
}

/** A text of at most `maxLength` (1000) characters; the whole of it fits `pattern`. */
export function text(
  options: Common<string> & { readonly maxLength?: number; readonly pattern?: RegExp | string } = {},
): ParameterConfig {
  const { pattern, ...rest } = options;
  const source = pattern instanceof RegExp ? pattern.source : pattern;
  return { ...rest, kind: 'parameter', type: 'text', ...(source !== undefined && { pattern: source }) };
}

/** Yes or no; no when it is not given, unless its default is true. */
export function bool(options: Omit<Common<boolean>, 'required'> = {}): ParameterConfig {
  return { default: false, ...options, kind: 'parameter', type: 'bool' };
}

/** Always this value. */
export function fixed(value: Json, options: { readonly label?: string } = {}): ParameterConfig {
  return { ...options, kind: 'parameter', type: 'fixed', default: value };
}
