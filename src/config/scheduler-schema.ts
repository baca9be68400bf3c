import { z } from 'zod';
import { changeFilterFields, patternsSchema } from './change-filter-schema.ts';
import { CRON_RULE, ZONE_RULE } from './cron.ts';
import { parseDuration, showDuration } from './duration.ts';
import { duration } from './duration-schema.ts';
import { nameSchema } from './name-schema.ts';
import { propertiesSchema } from './properties-schema.ts';
import { schedulerRequests } from './request-schema.ts';
import { parametersSchema } from './parameters/schema.ts';

const MOST_BUILDERS = 10_000;
/** A point weighs as much as an hour of waiting. */
const HIGHEST_PRIORITY = 100;
const LONGEST_REASON = 1_000;

const BUILDERS_RULE = "give a list of names of builders: builders: ['debian']";
const PRIORITY_RULE = `write a whole number from -${HIGHEST_PRIORITY} to ${HIGHEST_PRIORITY}`;
const REASON_RULE = `write a text of 1 to ${LONGEST_REASON} characters`;
const BRANCH_RULE = 'write the branch without refs/heads/';
const LONGEST_BRANCH = 255;
const UPSTREAM_RULE =
  "name the scheduler that it follows: after('nightly'), or after('kate/nightly') of another project";
const UPSTREAM = /^[^/]+(\/[^/]+)?$/;
/** Faster than this nobody builds, and it would fill the queue. */
const SHORTEST_PERIOD_MS = 1_000;

/** What every scheduler may say. */
const common = {
  name: nameSchema.optional(),
  builders: z
    .array(z.string({ error: BUILDERS_RULE }), { error: BUILDERS_RULE })
    .min(1, { error: 'name at least one builder, or leave builders out: then it is all of them' })
    .max(MOST_BUILDERS)
    .optional(),
  properties: propertiesSchema.optional(),
  priority: z
    .int({ error: PRIORITY_RULE })
    .min(-HIGHEST_PRIORITY, { error: PRIORITY_RULE })
    .max(HIGHEST_PRIORITY, { error: PRIORITY_RULE })
    .optional(),
};
/** And those that act by themselves. */
const acting = {
  ...common,
  reason: z
    .string({ error: REASON_RULE })
    .min(1, { error: REASON_RULE })
    .max(LONGEST_REASON, { error: REASON_RULE })
    .optional(),
  ...schedulerRequests,
};

const isPlain = (given: unknown): boolean => !(typeof given === 'string' && given.startsWith('refs/heads/'));
const branches = patternsSchema.refine((given) => [given].flat().every(isPlain), { error: BRANCH_RULE });
const oneBranch = z
  .string({ error: 'name one branch' })
  .min(1, { error: 'name one branch' })
  .max(LONGEST_BRANCH, { error: 'name one branch' })
  .refine((text) => !text.startsWith('-'), { error: 'it must not begin with "-"' })
  .refine(isPlain, { error: BRANCH_RULE });

/** Of those that build changes. */
const building = {
  ...acting,
  ...changeFilterFields,
  quiet: duration.optional(),
  quietAtMost: duration.optional(),
  onlyImportant: z.boolean().optional(),
};
/** Of those that go by the clock. */
const timed = {
  ...acting,
  ...changeFilterFields,
  branch: oneBranch.optional(),
  onlyIfChanged: z.boolean().optional(),
  onlyImportant: z.boolean().optional(),
  late: z.enum(['once', 'skip'], { error: "write late: 'once' or late: 'skip'" }).optional(),
};

/** Whoever is no scheduler is told of all there are. */
export const schedulerSchema = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('force'),
      ...common,
      parameters: parametersSchema.optional(),
      reason: z.literal('required', { error: "write 'required', or leave it out" }).optional(),
    }),
    z.strictObject({ kind: z.literal('triggerable'), ...acting, name: nameSchema }),
    z.strictObject({ kind: z.literal('try'), ...common }),
    z.strictObject({ kind: z.literal('onChange'), ...building, branch: branches }),
    z.strictObject({ kind: z.literal('anyBranch'), ...building, branch: branches.optional() }),
    z.strictObject({
      kind: z.literal('periodic'),
      ...timed,
      every: duration.refine((text) => parseDuration(text) >= SHORTEST_PERIOD_MS, {
        error: `write ${showDuration(SHORTEST_PERIOD_MS)} or more`,
      }),
    }),
    z.strictObject({
      kind: z.literal('nightly'),
      ...timed,
      at: z.string({ error: CRON_RULE }),
      forceAt: z.string({ error: CRON_RULE }).optional(),
      zone: z.string({ error: ZONE_RULE }).optional(),
    }),
    z.strictObject({
      kind: z.literal('after'),
      ...acting,
      upstream: z.string({ error: UPSTREAM_RULE }).regex(UPSTREAM, { error: UPSTREAM_RULE }),
    }),
  ],
  {
    error:
      'this is no scheduler: use onChange(), anyBranch(), periodic(), nightly(), after(), triggerable(), force() or tryBuilds()',
  },
);

export type CheckedScheduler = z.infer<typeof schedulerSchema>;
