import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { UsageError } from './verb.ts';

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<O extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: O; allowPositionals: true; strict: true }>
>;

/** `parseArgs` of Node with its errors as ours, and the number of plain words checked. */
export function readArguments<const O extends Options>(
  args: readonly string[],
  options: O,
  words: { readonly min: number; readonly max: number },
): Parsed<O> {
  const parsed = parse(args, options);
  if (parsed.positionals.length < words.min) throw new UsageError('something is missing');
  const extra = parsed.positionals[words.max];
  if (extra !== undefined) throw new UsageError(`"${extra}" is one word too many`);
  return parsed;
}

function parse<const O extends Options>(args: readonly string[], options: O): Parsed<O> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message.split(/\.\s/)[0] ?? error.message);
    throw error;
  }
}

/** A whole number of an option, within bounds. */
export function wholeNumber(value: string, option: string, min: number, max: number): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < min || number > max) {
    throw new UsageError(`${option} wants a whole number from ${min} to ${max}, not "${value}"`);
  }
  return number;
}
