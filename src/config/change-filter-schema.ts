import { z } from 'zod';
import type { ChangeFilter, TextPattern, TextRule } from '../model/change-filter.ts';
import type { ChangeFunction } from './change-filter.ts';
import { fingerprintOf } from './fingerprint.ts';

const LONGEST_PATTERN = 1_000;
const MOST_PATTERNS = 1_000;
const PATTERN_RULE = "write a text, a glob like 'release/*' or '!old/**', a regular expression, or a list of them";
const FILES_RULE = "write a glob like 'src/**' or '!docs/**', or a list of them";
const GLOB = /[*?[\]{}]/;

const text = z.string({ error: PATTERN_RULE }).max(LONGEST_PATTERN, {
  error: `a pattern has at most ${LONGEST_PATTERN} characters`,
});
const glob = text.refine((pattern) => pattern !== '' && pattern !== '!', { error: PATTERN_RULE });
const pattern = z.union([glob, z.instanceof(RegExp)], { error: PATTERN_RULE });

function oneOrMany<T extends z.ZodType>(item: T, error: string) {
  return z.union([item, z.array(item).min(1, { error }).max(MOST_PATTERNS)], { error });
}

export const patternsSchema = oneOrMany(pattern, PATTERN_RULE);
export const tagsSchema = z.union([z.literal(true), patternsSchema], {
  error: 'write true, or which tags, as for branches',
});
const files = oneOrMany(glob, FILES_RULE);
const code = z.custom<ChangeFunction>((value) => typeof value === 'function', { error: 'give it a function' });

/** What each scheduler of changes has among its options, to be spread into its schema. */
export const changeFilterFields = {
  branch: patternsSchema.optional(),
  author: patternsSchema.optional(),
  category: patternsSchema.optional(),
  codebase: patternsSchema.optional(),
  tags: tagsSchema.optional(),
  pullRequests: z.boolean({ error: 'write true or false' }).optional(),
  files: files.optional(),
  fileIsImportant: z.union([files, code], { error: `${FILES_RULE}, or a function of the change` }).optional(),
  filter: code.optional(),
} as const;

const checked = z.object(changeFilterFields);
export type CheckedChangeFilter = z.infer<typeof checked>;

/** The filter as plain data; its functions are only seen to be there. */
export function changeFilterShape(given: CheckedChangeFilter): ChangeFilter {
  const {
    branch,
    author,
    category,
    codebase,
    tags,
    pullRequests = false,
    files: wanted,
    fileIsImportant,
    filter,
  } = given;
  const isCode = typeof fileIsImportant === 'function';
  const functions = [filter, isCode ? fileIsImportant : undefined];
  return {
    ...(branch !== undefined && { branch: textRule(branch) }),
    ...(author !== undefined && { author: textRule(author) }),
    ...(category !== undefined && { category: textRule(category) }),
    ...(codebase !== undefined && { codebase: textRule(codebase) }),
    ...(tags !== undefined && { tags: tags === true ? { any: [], none: [] } : textRule(tags) }),
    ...(pullRequests && { pullRequests }),
    ...(wanted !== undefined && { files: textRule(wanted) }),
    ...(fileIsImportant !== undefined && !isCode && { importantFiles: textRule(fileIsImportant) }),
    hasFilter: filter !== undefined,
    hasFileIsImportant: isCode,
    ...(functions.some((one) => one) && { fingerprint: fingerprintOf(functions.map((one) => one ?? '')) }),
  };
}

/** `!` before a pattern excludes. */
export function textRule(given: z.infer<typeof patternsSchema>): TextRule {
  const any: TextPattern[] = [];
  const none: TextPattern[] = [];
  for (const item of Array.isArray(given) ? given : [given]) {
    if (item instanceof RegExp) {
      // A search from where the last one ended is of no use here.
      any.push({ regex: item.source, flags: item.flags.replaceAll(/[gy]/g, '') });
    } else if (item.startsWith('!')) none.push(textPattern(item.slice(1)));
    else any.push(textPattern(item));
  }
  return { any, none };
}

function textPattern(word: string): TextPattern {
  return GLOB.test(word) ? { glob: word } : { is: word };
}
