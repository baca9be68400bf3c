import { z } from 'zod';
import { MOST_RETRIES } from '../model/retry.ts';
import { duration } from './duration-schema.ts';
import type { CollapseFunction } from './values.ts';

const COLLAPSE_RULE = 'write collapse: true, or a function (older, newer) => boolean';
const SUPERSEDED_RULE =
  'write cancelSuperseded: true, or { running: true } to end also what is being built for an older change';
const RETRY_RULE = `write retry: { lost: 3, exception: 1, failure: 0, pause: '30s' }, or some of it, with 0 to ${MOST_RETRIES} retries`;

const retries = z
  .int({ error: RETRY_RULE })
  .min(0, { error: RETRY_RULE })
  .max(MOST_RETRIES, { error: RETRY_RULE })
  .optional();

const cancelSuperseded = z
  .union([z.boolean(), z.strictObject({ running: z.boolean() })], { error: SUPERSEDED_RULE })
  .optional();

/** What becomes of a builder's requests beside being built. */
export const builderRequests = {
  collapse: z
    .union([z.boolean(), z.custom<CollapseFunction>((value) => typeof value === 'function')], { error: COLLAPSE_RULE })
    .optional(),
  cancelSuperseded,
  retry: z
    .strictObject(
      { lost: retries, exception: retries, failure: retries, pause: duration.optional() },
      { error: RETRY_RULE },
    )
    .optional(),
  queueFor: duration.optional(),
};

/** The same of all of a project. */
export const projectRequests = {
  cancelSuperseded,
  cancelRestOnFailure: z.boolean().optional(),
  dependsOn: z.array(z.string(), { error: 'give a list of names of projects' }).optional(),
  whenUpstreamFails: z.enum(['build', 'skip'], { error: "write 'build' or 'skip'" }).optional(),
};

/** And of what one of its schedulers makes, instead. */
export const schedulerRequests = {
  cancelRestOnFailure: z.boolean().optional(),
  queueFor: duration.optional(),
};
