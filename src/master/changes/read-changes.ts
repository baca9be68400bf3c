import { z } from 'zod';
import { errorText } from '../../base/errors.ts';
import { jsonSchema } from '../../config/json-schema.ts';
import { OperatorError } from '../operator.ts';
import type { ChangeWish } from '../views/change.ts';

/** A push of many commits comes as a list. */
export const CHANGES_AT_ONCE = 100;
export const TOO_MANY_CHANGES = `more than ${CHANGES_AT_ONCE} changes at once: send the newest, or some at a time`;
const text = z.string();

/** What is too long is cut or refused later, where all changes come by. */
const change = z.strictObject({
  branch: text,
  revision: text,
  author: text.optional(),
  committer: text.optional(),
  comments: text.optional(),
  files: z.array(text).optional(),
  category: text.optional(),
  revlink: text.optional(),
  codebase: text.optional(),
  externalId: text.optional(),
  properties: z.record(text, jsonSchema).optional(),
  key: text.optional(),
});
const changes = z.union([change.transform((one) => [one]), z.array(change)]);

/** Changes as JSON: one, or a list. Throws an `OperatorError` that names what is wrong. */
export function readChanges(json: string): readonly ChangeWish[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw wrong(`it is no JSON (${errorText(error)})`, error);
  }
  try {
    return changesOf(value);
  } catch (error) {
    throw wrong(errorText(error), error);
  }
}

/** The same of a value. Throws an error that names what is wrong. */
export function changesOf(value: unknown): readonly ChangeWish[] {
  const parsed = changes.safeParse(value, { reportInput: false });
  if (!parsed.success) {
    throw new Error(firstIssue(Array.isArray(value) ? value : [value]), { cause: parsed.error });
  }
  // A key of JSON is there or is not: none of them is undefined.
  return parsed.data as readonly ChangeWish[];
}

function firstIssue(list: readonly unknown[]): string {
  for (const [index, item] of list.entries()) {
    const issue = change.safeParse(item).error?.issues[0];
    if (!issue) continue;
    const what = issue.code === 'unrecognized_keys' ? `unknown key ${issue.keys.join(', ')}` : issue.message;
    return `change ${index + 1}: ${issue.path.length > 0 ? `${issue.path.join('.')}: ` : ''}${what}`;
  }
  return 'it is no change and no list of changes';
}

function wrong(what: string, cause: unknown): OperatorError {
  return new OperatorError(
    'usage',
    `what came on standard input is not understood: ${what}; send {"branch": …, "revision": …} or a list of them, see docs/changes.md`,
    { cause },
  );
}
