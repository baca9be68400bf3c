import type { Result } from '../../model/result.ts';
import type { StepReport } from '../code-host.ts';
import type { StepContext } from '../step-context.ts';
import { resolve } from '../steps/wanted.ts';
import type { StepConfig } from '../values.ts';

/** What is asked of a step besides its function. */
export type StepAsides = {
  readonly [K in 'doIf' | 'hideIf' | 'description' | 'descriptionDone']?: StepConfig[K] | undefined;
};

/** Characters of a description: it is a few words in a table. */
const DESCRIPTION_CHARACTERS = 200;

export async function isToRun(ctx: StepContext, { doIf = true }: StepAsides): Promise<boolean> {
  return trueOrFalse(await resolve(ctx, doIf), 'doIf');
}

/** What a step that ended so says of itself. */
export async function lastWords(
  ctx: StepContext,
  { hideIf = false, descriptionDone }: StepAsides,
  result: Result,
): Promise<Pick<StepReport, 'isHidden' | 'description'>> {
  const description = await resolve(ctx, descriptionDone);
  const isHidden = trueOrFalse(typeof hideIf === 'function' ? await hideIf(result, ctx) : hideIf, 'hideIf');
  return {
    ...(description !== undefined && { description: descriptionOf(description, 'descriptionDone') }),
    ...(isHidden && { isHidden }),
  };
}

/** One line, cut to a length that fits a table. Throws when it is no text. */
export function descriptionOf(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new TypeError(`${what} is ${typeof value}; give a text`);
  const line = value.replaceAll(/\s+/g, ' ').trim();
  return line.length <= DESCRIPTION_CHARACTERS ? line : `${line.slice(0, DESCRIPTION_CHARACTERS - 1)}…`;
}

function trueOrFalse(value: unknown, what: string): boolean {
  if (typeof value === 'boolean') return value;
  throw new TypeError(`${what} said ${JSON.stringify(value) ?? typeof value}; it must say true or false`);
}
