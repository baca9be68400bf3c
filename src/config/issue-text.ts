import type { z } from 'zod';

/** What is said of one mistake that a schema found. */
export function issueText({ message, ...issue }: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `unknown option ${issue.keys.join(', ')}; remove it`;
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? message;
  return message;
}
