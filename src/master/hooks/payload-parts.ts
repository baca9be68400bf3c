import { z } from 'zod';
import { isWebLink } from '../../model/web-link.ts';
import type { HookCommit } from './hook-event.ts';

/** Of what is not told the text is empty, and of a list the list. */
export const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
export const revision = z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/);
/** A list of very many things that are none costs one complaint, not one for each. */
const files = z
  .custom<readonly string[] | null | undefined>(
    (value) => isLeftOut(value) || (Array.isArray(value) && value.every((file) => typeof file === 'string')),
    { error: 'it is no list of names' },
  )
  .transform((value) => value ?? []);

const person = z.object({ name: text, email: text }).nullish();
/** Of an address that is none nothing is kept: nobody builds by it. */
export const link = z
  .unknown()
  .optional()
  .transform((value) => (typeof value === 'string' && isWebLink(value) ? { revlink: value } : {}));

/** A commit, as all three tell of it. */
export const commit = z
  .object({
    id: revision,
    message: text,
    url: link,
    author: person,
    committer: person,
    added: files,
    removed: files,
    modified: files,
    distinct: z.boolean().optional(),
  })
  .transform(
    ({
      author,
      committer,
      url,
      added,
      removed,
      modified,
      ...commit
    }): HookCommit & { readonly distinct?: boolean | undefined } => ({
      id: commit.id,
      message: commit.message,
      ...(author && { author: signature(author.name, author.email) }),
      ...(committer && { committer: signature(committer.name, committer.email) }),
      ...url,
      files: [...new Set([...added, ...removed, ...modified])],
      filesLeftOut: 0,
      distinct: commit.distinct,
    }),
  );

/** Of the first one that is none no other is looked at. */
export const commits = z
  .custom<readonly unknown[] | null | undefined>((value) => isLeftOut(value) || Array.isArray(value), {
    error: 'it is no list',
  })
  .transform((list, context) => {
    const read: z.output<typeof commit>[] = [];
    for (const [index, one] of (list ?? []).entries()) {
      const { data, error } = commit.safeParse(one);
      if (data) {
        read.push(data);
        continue;
      }
      const [issue] = error.issues;
      context.addIssue({
        code: 'custom',
        path: [index, ...(issue?.path ?? [])],
        message: issue?.message ?? 'it is none',
      });
      return z.NEVER;
    }
    return read;
  });

function isLeftOut(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

/** `Ann <ann@example.org>`, as git writes it. */
function signature(name: string, email: string): string {
  return email === '' ? name : `${name} <${email}>`.trimStart();
}
