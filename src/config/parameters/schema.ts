import { z } from 'zod';
import type { Parameter } from '../../model/parameter.ts';
import { PROPERTY_NAME, PROPERTY_RULE } from '../../model/properties.ts';
import { jsonSchema } from '../json-schema.ts';
import { readValue } from './read-parameters.ts';

const PARAMETER_RULE = 'this is no parameter: use choice(), int(), text(), bool() or fixed()';
const NAME_RULE = `a parameter is named as a property: ${PROPERTY_RULE}`;
const PARAMETERS_MAX = 100;
const CHOICES_MAX = 1_000;
export const TEXT_MAX = 1_000;
const LONGEST_TEXT = 10_000;

const head = {
  kind: z.literal('parameter', { error: PARAMETER_RULE }),
  label: z.string().min(1).max(200).optional(),
  required: z.boolean().optional(),
  default: jsonSchema.optional(),
};
const word = z.string().min(1).max(LONGEST_TEXT);

const parameter = z.discriminatedUnion(
  'type',
  [
    z.strictObject({
      ...head,
      type: z.literal('choice'),
      choices: z.array(word).min(1, { error: 'give at least one choice' }).max(CHOICES_MAX),
      multiple: z.boolean().optional(),
    }),
    z.strictObject({ ...head, type: z.literal('int'), min: z.int().optional(), max: z.int().optional() }),
    z.strictObject({
      ...head,
      type: z.literal('text'),
      maxLength: z.int().min(1).max(LONGEST_TEXT).optional(),
      pattern: z
        .string()
        .refine(isPattern, { error: ({ input }) => `${JSON.stringify(input)} is no regular expression` })
        .optional(),
    }),
    z.strictObject({ ...head, type: z.literal('bool') }),
    z.strictObject({ ...head, type: z.literal('fixed') }),
  ],
  { error: PARAMETER_RULE },
);
type CheckedParameter = z.infer<typeof parameter>;

/** The parameters of a force scheduler, by name; defaults are in their own range. */
export const parametersSchema = z
  .record(z.string(), parameter)
  .refine((all) => Object.keys(all).length <= PARAMETERS_MAX, { error: `at most ${PARAMETERS_MAX} parameters` })
  .superRefine((all, context) => {
    for (const [name, one] of Object.entries(all)) {
      const mistake = PROPERTY_NAME.test(name) ? mistakeOf(name, one) : NAME_RULE;
      if (mistake !== undefined) context.addIssue({ code: 'custom', path: [name], message: mistake });
    }
  });
export type CheckedParameters = z.infer<typeof parametersSchema>;

function isPattern(source: string): boolean {
  try {
    return new RegExp(source, 'u').source !== '';
  } catch {
    // That it is none is all we want to know; the message is ours.
    return false;
  }
}

function mistakeOf(name: string, one: CheckedParameter): string | undefined {
  if (one.type === 'int' && one.min !== undefined && one.max !== undefined && one.min > one.max) {
    return `min (${one.min}) is more than max (${one.max})`;
  }
  if (one.default === undefined || one.type === 'fixed') return undefined;
  if (one.required) return 'one that is required has no default: leave one of the two out';
  const read = readValue(parameterOf(name, one), one.default);
  return 'value' in read ? undefined : `the default is ${read.no}`;
}

/** In the order in which they are written. */
export function parameterShapes(all: CheckedParameters): readonly Parameter[] {
  return Object.entries(all).map(([name, one]) => parameterOf(name, one));
}

function parameterOf(name: string, one: CheckedParameter): Parameter {
  const common = {
    name,
    isRequired: one.required ?? false,
    ...(one.label !== undefined && { label: one.label }),
    ...(one.default !== undefined && { default: one.default as NonNullable<Parameter['default']> }),
  };
  switch (one.type) {
    case 'choice':
      return { ...common, type: 'choice', choices: one.choices, isMultiple: one.multiple ?? false };
    case 'int':
      return {
        ...common,
        type: 'int',
        ...(one.min !== undefined && { min: one.min }),
        ...(one.max !== undefined && { max: one.max }),
      };
    case 'text':
      return {
        ...common,
        type: 'text',
        maxLength: one.maxLength ?? TEXT_MAX,
        ...(one.pattern !== undefined && { pattern: one.pattern }),
      };
    default:
      return { ...common, type: one.type };
  }
}
