import { z } from 'zod';
import { parseSize } from '../base/size.ts';
import type { KeepRule, KeepRules } from '../model/keep-rules.ts';
import { duration, isOf } from './duration-schema.ts';
import { parseDuration } from './duration.ts';

const KEEP_RULE =
  "write keep: { logs: { for: '90d', last: 100, atMost: '50GB' }, artifacts: { … }, builds: { for: '400d', last: 1000 } }, or some of it";

const last = z.int({ error: KEEP_RULE }).min(1, { error: KEEP_RULE }).optional();
const atMost = z
  .string({ error: KEEP_RULE })
  .refine((text) => isOf(parseSize, text), {
    error: ({ input }) => `${JSON.stringify(input)} is no size: ${KEEP_RULE}`,
  })
  .optional();
const sized = z.strictObject({ for: duration.optional(), last, atMost }, { error: KEEP_RULE }).optional();

/** What is kept, and for how long; of a project, or of all that do not say otherwise. */
export const keepSchema = z.strictObject(
  {
    logs: sized,
    artifacts: sized,
    builds: z.strictObject({ for: duration.optional(), last }, { error: KEEP_RULE }).optional(),
  },
  { error: KEEP_RULE },
);

type CheckedKeep = z.infer<typeof keepSchema>;

export function keepShape({ logs, artifacts, builds }: CheckedKeep): KeepRules {
  return {
    ...(logs && { logs: ruleShape(logs) }),
    ...(artifacts && { artifacts: ruleShape(artifacts) }),
    ...(builds && { builds: ruleShape(builds) }),
  };
}

function ruleShape(rule: {
  readonly for?: string | undefined;
  readonly last?: number | undefined;
  readonly atMost?: string | undefined;
}): KeepRule {
  return {
    ...(rule.for !== undefined && { forMs: parseDuration(rule.for) }),
    ...(rule.last !== undefined && { last: rule.last }),
    ...(rule.atMost !== undefined && { maxBytes: parseSize(rule.atMost) }),
  };
}
