import { z } from 'zod';
import { HOOK_KINDS } from '../model/forge.ts';
import { PROPERTIES_MAX, PROPERTY_NAME } from '../model/properties.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { HookShape } from './shape.ts';
import { DEFAULT_SKIPS, skipSchema } from './skip-schema.ts';
import type { HookPropertiesFunction } from './values.ts';

const HOOK_RULE = "write hook: { secretFile: 'secrets/kate-hook' }, with kind, skip and properties if need be";
const KIND_RULE = `kind is one of ${HOOK_KINDS.join(', ')} (Forgejo: gitea); leave it out to take any forge`;
const PATH_RULE = "give a list of places in what the forge sends: ['pull_request.title'], or a function of it";
const AUTHORS_RULE = "give a list of names that people have at the forge: ['ann']";
const LONGEST = 4_096;
const MOST_AUTHORS = 10_000;

const properties = z.union(
  [
    z.array(z.string().regex(PROPERTY_NAME, { error: PATH_RULE })).max(PROPERTIES_MAX),
    z.custom<HookPropertiesFunction>((value) => typeof value === 'function'),
  ],
  { error: PATH_RULE },
);

/** From whom a project takes webhooks, and what it makes of pull requests of forks. */
export const hookSchema = z
  .strictObject(
    {
      kind: z.enum(HOOK_KINDS, { error: KIND_RULE }).optional(),
      secretFile: z.string({ error: 'name a file' }).min(1, { error: 'name a file' }).max(LONGEST),
      skip: skipSchema.optional(),
      properties: properties.optional(),
    },
    { error: HOOK_RULE },
  )
  .refine((hook) => hook.kind !== 'generic' || hook.properties === undefined, {
    path: ['properties'],
    error: 'whoever sends a change to a generic hook says its properties himself; remove it',
  });
export const forksSchema = z.enum(['build', 'approve', 'ignore'], {
  error: "forks is 'build', 'approve' (which it is by itself) or 'ignore'",
});
export const authorsSchema = z
  .array(z.string({ error: AUTHORS_RULE }).min(1, { error: AUTHORS_RULE }).max(LONGEST), { error: AUTHORS_RULE })
  .max(MOST_AUTHORS);

export function hookShape({
  kind,
  secretFile,
  skip = [...DEFAULT_SKIPS],
  properties: given,
}: z.infer<typeof hookSchema>): HookShape {
  return {
    ...(kind !== undefined && { kind }),
    secretFile,
    skip,
    ...(given !== undefined && {
      properties: typeof given === 'function' ? { function: fingerprintOf(given) } : [...new Set(given)],
    }),
  };
}
