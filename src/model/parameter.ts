import type { Json } from './json.ts';

/** What a forced build may, or must, be told: a property of this name. */
export type Parameter = ParameterHead &
  (
    | { readonly type: 'choice'; readonly choices: readonly string[]; readonly isMultiple: boolean }
    | { readonly type: 'int'; readonly min?: number; readonly max?: number }
    /** `pattern`: a regular expression that the whole text fits. */
    | { readonly type: 'text'; readonly maxLength: number; readonly pattern?: string }
    | { readonly type: 'bool' }
    /** Always its default: nobody says another value. */
    | { readonly type: 'fixed' }
  );

interface ParameterHead {
  readonly name: string;
  /** What people call it. */
  readonly label?: string;
  /** It has no default, and has to be given. */
  readonly isRequired: boolean;
  /** Of one that is not given; absent: then there is no such property. */
  readonly default?: Json;
}

/** What its values are, for people: `one of debug, release`, `a whole number from 1 to 64`. */
export function rangeInWords(parameter: Parameter): string {
  switch (parameter.type) {
    case 'choice':
      return `${parameter.isMultiple ? 'some of, with commas between,' : 'one of'} ${parameter.choices.join(', ')}`;
    case 'int': {
      const { min, max } = parameter;
      if (min !== undefined && max !== undefined) return `a whole number from ${min} to ${max}`;
      if (min !== undefined) return `a whole number of ${min} or more`;
      return max === undefined ? 'a whole number' : `a whole number of ${max} or less`;
    }
    case 'text': {
      const fits = parameter.pattern === undefined ? '' : ` that fits /${parameter.pattern}/`;
      return `a text of at most ${parameter.maxLength} characters${fits}`;
    }
    case 'bool':
      return 'true or false';
    default:
      return 'always the same';
  }
}
