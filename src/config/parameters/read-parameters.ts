import type { Json, JsonObject } from '../../model/json.ts';
import { rangeInWords } from '../../model/parameter.ts';
import type { Parameter } from '../../model/parameter.ts';
import { fits } from './fits.ts';

/**
 * The properties that a person's values mean, by the parameters of a scheduler: each of its type and in its range, those that
 * were not given by their defaults. Values come as texts (`-p jobs=4`) or as JSON. Or all that is wrong with them, a sentence each.
 */
export function readParameters(
  parameters: readonly Parameter[],
  given: JsonObject,
): { readonly properties: JsonObject } | { readonly mistakes: readonly string[] } {
  const mistakes: string[] = [];
  const properties: Record<string, Json> = {};
  const known = new Set(parameters.map(({ name }) => name));
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue;
    mistakes.push(`there is no parameter ${JSON.stringify(name)}: there is ${[...known].join(', ') || 'none'}`);
  }
  for (const parameter of parameters) {
    const { name, isRequired, default: otherwise } = parameter;
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) {
      if (isRequired) mistakes.push(`${name} is missing: give ${rangeInWords(parameter)}`);
      else if (otherwise !== undefined) properties[name] = otherwise;
      continue;
    }
    const read = readValue(parameter, value);
    if ('value' in read) properties[name] = read.value;
    else mistakes.push(`${name} is ${read.no}`);
  }
  return mistakes.length > 0 ? { mistakes } : { properties };
}

type Read = { readonly value: Json } | { readonly no: string };

const WHOLE = /^[+-]?\d{1,15}$/;
const SHOWN = 100;

/** Also checks defaults when a configuration is loaded: those are JSON already. */
export function readValue(parameter: Parameter, given: Json): Read {
  const wrong: Read = { no: `${shown(given)}: give ${rangeInWords(parameter)}` };
  switch (parameter.type) {
    case 'choice': {
      if (!parameter.isMultiple) return parameter.choices.some((choice) => choice === given) ? { value: given } : wrong;
      const chosen: readonly Json[] | undefined =
        typeof given === 'string' ? given.split(',').filter((word) => word !== '') : listOf(given);
      return chosen?.every((one) => parameter.choices.some((choice) => choice === one))
        ? { value: [...new Set(chosen)] }
        : wrong;
    }
    case 'int': {
      const number = typeof given === 'string' && WHOLE.test(given) ? Number(given) : given;
      if (typeof number !== 'number' || !Number.isSafeInteger(number)) return wrong;
      return number < (parameter.min ?? -Infinity) || number > (parameter.max ?? Infinity) ? wrong : { value: number };
    }
    case 'text': {
      if (typeof given !== 'string' || given.length > parameter.maxLength) return wrong;
      const doesFit = parameter.pattern === undefined || fits(parameter.pattern, given);
      if (doesFit === 'too long')
        return { no: `${shown(given)}: whether that fits its pattern takes too long to tell` };
      return doesFit ? { value: given } : wrong;
    }
    case 'bool':
      if (given === true || given === 'true') return { value: true };
      return given === false || given === 'false' ? { value: false } : wrong;
    default:
      return { no: `always ${JSON.stringify(parameter.default ?? null)}: leave it out` };
  }
}

function listOf(value: Json): readonly Json[] | undefined {
  return Array.isArray(value) ? (value as readonly Json[]) : undefined;
}

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
