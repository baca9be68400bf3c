import { z } from 'zod';
import { isMadeSecret } from '../../model/secret.ts';
import type { SecretRef } from '../../model/secret.ts';
import { duration } from '../duration-schema.ts';
import { nameSchema } from '../name-schema.ts';

const LONGEST = 4_096;
const MOST_WORDS = 100;
const MOST_SECRETS = 1_000;
const MOST_PROJECTS = 10_000;
const NO_SECRET =
  "this is no secret: use secretFile('secrets/key', { projects: ['kate'] }), secretEnv() or secretCommand()";
const PROJECTS_RULE = "say whose builds may be given it: projects: ['kate'], or projects: 'all'";
const ARGV_RULE = "give a program and its arguments: secretCommand(['pass', 'show', 'ci/key'], …)";
const VARIABLE_RULE = 'no name of an environment variable';

const variableSchema = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: VARIABLE_RULE });

const use = {
  projects: z.union([z.literal('all'), z.array(nameSchema).min(1).max(MOST_PROJECTS)], { error: PROJECTS_RULE }),
  forks: z.boolean().optional(),
};
const word = z
  .string({ error: ARGV_RULE })
  .max(LONGEST, { error: ARGV_RULE })
  .refine((text) => !text.includes('\0'), { error: ARGV_RULE });

const secretSchema = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('secretFile'),
      path: z.string({ error: 'name a file' }).min(1, { error: 'name a file' }).max(LONGEST),
      ...use,
    }),
    z.strictObject({ kind: z.literal('secretEnv'), variable: variableSchema, ...use }),
    z.strictObject({
      kind: z.literal('secretCommand'),
      argv: z.array(word, { error: ARGV_RULE }).min(1, { error: ARGV_RULE }).max(MOST_WORDS, { error: ARGV_RULE }),
      timeout: duration.optional(),
      ...use,
    }),
  ],
  { error: NO_SECRET },
);

/** The secrets of a configuration, by their names. */
export const secretsSchema = z
  .record(nameSchema, secretSchema, {
    error: "write secrets: { key: secretFile('secrets/key', { projects: ['kate'] }) }",
  })
  .refine((secrets) => Object.keys(secrets).length <= MOST_SECRETS, { error: `at most ${MOST_SECRETS}` });
export type CheckedSecrets = z.infer<typeof secretsSchema>;

/** The value of an environment variable, as the configuration has it. */
const envValueSchema = z.union([z.string(), z.custom<SecretRef>(isMadeSecret)], {
  error: "give a text, or secret('key')",
});

export const envSchema = z.record(variableSchema, envValueSchema);
