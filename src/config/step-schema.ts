import { z } from 'zod';
import { duration, isOf } from './duration-schema.ts';
import { locksSchema } from './lock-schema.ts';
import { LOG_LIMIT_RULE, parseLogLimit } from './log-limit.ts';
import type { StepConfig } from './values.ts';

const NO_STEP = 'this is no step: use sh(), checkout(), reboot() or step()';

export const logLimit = z.string({ error: LOG_LIMIT_RULE }).refine((text) => isOf(parseLogLimit, text), {
  error: ({ input }) => `${JSON.stringify(input)} is no limit of a log: ${LOG_LIMIT_RULE}`,
});

const stepName = z.string({ error: 'give it a name' }).refine((text) => /^\S(.{0,98}\S)?$/u.test(text), {
  error: 'a name of a step is one line of 1 to 100 characters, without blanks around it',
});

const rules = z.strictObject({
  haltOnFailure: z.boolean().optional(),
  flunkOnFailure: z.boolean().optional(),
  warnOnFailure: z.boolean().optional(),
  flunkOnWarnings: z.boolean().optional(),
  warnOnWarnings: z.boolean().optional(),
  alwaysRun: z.boolean().optional(),
});

/** What is said now, or by a function when the step runs. */
function said<T>(type: 'boolean' | 'string', error: string) {
  return z.custom<T>((value) => typeof value === type || typeof value === 'function', { error }).optional();
}

const CONDITION = 'give true or false, or a function that tells';
const WORDS = 'give a text, or a function that makes one';

export const stepSchema = z.strictObject(
  {
    kind: z.literal('step', { error: NO_STEP }),
    name: stepName,
    rules,
    locks: locksSchema.optional(),
    doIf: said<StepConfig['doIf']>('boolean', CONDITION),
    hideIf: said<StepConfig['hideIf']>('boolean', CONDITION),
    description: said<StepConfig['description']>('string', WORDS),
    descriptionDone: said<StepConfig['descriptionDone']>('string', WORDS),
    run: z.custom<StepConfig['run']>((value) => typeof value === 'function', { error: 'give it a function' }),
    made: z
      .looseObject({
        of: z.string(),
        timeout: duration.nullish(),
        maxTime: duration.optional(),
        killAfter: duration.optional(),
        logLimit: logLimit.optional(),
        within: duration.optional(),
      })
      .optional(),
  },
  { error: NO_STEP },
);

export type CheckedStep = z.infer<typeof stepSchema>;
