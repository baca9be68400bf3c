import { z } from 'zod';
import type { HookCommit } from './hook-event.ts';

/** Of what is not told the text is empty, and of a list the list. */
export const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
export const revision = z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/);
const files = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);

/** A commit, as all three tell of it. */
export const commit = z
  .object({
    id: revision,
    message: text,
    author: z.object({ name: text, email: text }).nullish(),
    added: files,
    removed: files,
    modified: files,
    distinct: z.boolean().optional(),
  })
  .transform(
    ({ author, added, removed, modified, ...commit }): HookCommit & { readonly distinct?: boolean | undefined } => ({
      id: commit.id,
      message: commit.message,
      ...(author && { author: signature(author.name, author.email) }),
      files: [...new Set([...added, ...removed, ...modified])],
      filesLeftOut: 0,
      distinct: commit.distinct,
    }),
  );

/** `Ann <ann@example.org>`, as git writes it. */
function signature(name: string, email: string): string {
  return email === '' ? name : `${name} <${email}>`.trimStart();
}
