import { z } from 'zod';
import { issueText } from './issue-text.ts';

/** A function, or what the schema takes; what is wrong with that is told with its place inside of it. */
export function functionOr<Fn, T extends z.ZodType>(schema: T): z.ZodType<Fn | z.output<T>> {
  return z.unknown().transform((value, ctx): Fn | z.output<T> => {
    if (typeof value === 'function') return value as Fn;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues)
      ctx.addIssue({ code: 'custom', path: [...issue.path], message: issueText(issue) });
    return z.NEVER;
  });
}
