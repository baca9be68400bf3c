import { z } from 'zod';
import { FORGES } from '../model/forge.ts';

const HOOK_RULE = "write hook: { secretFile: 'secrets/kate-hook' }, with kind and skip if need be";
const KIND_RULE = `kind is one of ${FORGES.join(', ')} (Forgejo: gitea); leave it out to take any`;
const SKIP_RULE = "give a list of texts: ['[skip ci]']";
const AUTHORS_RULE = "give a list of names that people have at the forge: ['ann']";
const LONGEST = 4_096;
const MOST_SKIPS = 100;
const MOST_AUTHORS = 10_000;

/** From whom a project takes webhooks, and what it makes of pull requests of forks. */
export const hookSchema = z.strictObject(
  {
    kind: z.enum(FORGES, { error: KIND_RULE }).optional(),
    secretFile: z.string({ error: 'name a file' }).min(1, { error: 'name a file' }).max(LONGEST),
    skip: z
      .array(z.string({ error: SKIP_RULE }).min(1, { error: SKIP_RULE }).max(100, { error: SKIP_RULE }), {
        error: SKIP_RULE,
      })
      .max(MOST_SKIPS)
      .optional(),
  },
  { error: HOOK_RULE },
);
export const forksSchema = z.enum(['build', 'approve', 'ignore'], {
  error: "forks is 'build', 'approve' (which it is by itself) or 'ignore'",
});
export const authorsSchema = z
  .array(z.string({ error: AUTHORS_RULE }).min(1, { error: AUTHORS_RULE }).max(LONGEST), { error: AUTHORS_RULE })
  .max(MOST_AUTHORS);
