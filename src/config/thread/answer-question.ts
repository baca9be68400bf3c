import type { Json } from '../../model/json.ts';
import type { Answered } from '../code-host.ts';
import { toJson } from './open-run.ts';
import { inOneLine } from './step-error.ts';

/** Longer answers are errors: what a function of the configuration is asked is a name, a number, a yes. */
const ANSWER_CHARACTERS = 64 * 1024;
const ERROR_CHARACTERS = 500;

/** Asks a function of the configuration; whatever comes of it is an answer. One that returns nothing answers null. */
export async function answerQuestion(fn: (...args: unknown[]) => unknown, args: readonly Json[]): Promise<Answered> {
  try {
    const ok = toJson((await fn(...args)) ?? null, 'what it returned');
    if (JSON.stringify(ok).length <= ANSWER_CHARACTERS) return { ok };
    return { error: `it returned more than ${ANSWER_CHARACTERS} characters of JSON` };
  } catch (error) {
    return errorAnswer(error);
  }
}

export function errorAnswer(error: unknown, prefix = ''): Answered {
  return { error: `${prefix}${inOneLine(error)}`.slice(0, ERROR_CHARACTERS) };
}
