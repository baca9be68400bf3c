import { z } from 'zod';
import type { BuildIf, CanStartBuild, NextBuild, NextWorker } from './chooser-context.ts';
import { duration } from './duration-schema.ts';
import { parseDuration } from './duration.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { BuilderFunctions } from './shape.ts';

const CHECK_LIMIT_MS = 60_000;
const RECHECK_MS = 60_000;
const CHECK_RULE = "write a function, or { check: async (ctx) => …, deadline: '1m', recheck: '1m' }";

const BUILD_IF_RULE = 'write buildIf: false, or a function (request) => boolean';

function functionOf<T>(error = 'give it a function') {
  return z.custom<T>((value) => typeof value === 'function', { error });
}

const check = functionOf<CanStartBuild>(CHECK_RULE);

/** The functions of a builder that is asked for a worker, a request, or whether a build may start. */
export const builderFunctions = {
  buildIf: z.union([z.boolean(), functionOf<BuildIf>(BUILD_IF_RULE)], { error: BUILD_IF_RULE }).optional(),
  nextWorker: functionOf<NextWorker>().optional(),
  nextBuild: functionOf<NextBuild>().optional(),
  canStartBuild: z
    .union([check, z.strictObject({ check, deadline: duration.optional(), recheck: duration.optional() })], {
      error: CHECK_RULE,
    })
    .optional(),
};

type Checked = z.infer<z.ZodObject<typeof builderFunctions>>;

/** What the master knows of them; undefined when there are none. */
export function functionShapes({
  buildIf,
  env,
  locks,
  nextWorker,
  nextBuild,
  canStartBuild,
}: Checked & { readonly env?: unknown; readonly locks?: unknown }): BuilderFunctions | undefined {
  const functions: BuilderFunctions = {
    ...(buildIf === false && { buildIf }),
    ...(typeof buildIf === 'function' && { buildIf: fingerprintOf(buildIf) }),
    ...(typeof env === 'function' && { env: fingerprintOf(env) }),
    ...(typeof locks === 'function' && { locks: fingerprintOf(locks) }),
    ...(nextWorker && { nextWorker: fingerprintOf(nextWorker) }),
    ...(nextBuild && { nextBuild: fingerprintOf(nextBuild) }),
    ...(canStartBuild && { canStartBuild: checkShape(canStartBuild) }),
  };
  return Object.keys(functions).length > 0 ? functions : undefined;
}

/** The function itself, however it was given. */
export function checkOf(given: NonNullable<Checked['canStartBuild']>): CanStartBuild {
  return typeof given === 'function' ? given : given.check;
}

function checkShape(given: NonNullable<Checked['canStartBuild']>): NonNullable<BuilderFunctions['canStartBuild']> {
  const { deadline, recheck } = typeof given === 'function' ? {} : given;
  return {
    fingerprint: fingerprintOf(checkOf(given)),
    limitMs: deadline === undefined ? CHECK_LIMIT_MS : parseDuration(deadline),
    recheckMs: recheck === undefined ? RECHECK_MS : parseDuration(recheck),
  };
}
