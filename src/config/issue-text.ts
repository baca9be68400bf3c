import type { z } from 'zod';

/** What is said of one mistake that a schema found. */
export function issueText({ message, ...issue }: z.core.$ZodIssue): string {
  return issue.code === 'unrecognized_keys' ? `unknown option ${issue.keys.join(', ')}; remove it` : message;
}
