import { z } from 'zod';
import { LONGEST_HEARTBEAT_MS, SHORTEST_HEARTBEAT_MS } from '../model/lost-worker.ts';
import { CONNECTIONS_KEPT } from '../model/trouble.ts';
import { builderFunctions } from './builder-functions.ts';
import { descriptionSchema, tagsSchema } from './description-schema.ts';
import { duration, isOf } from './duration-schema.ts';
import { parseDuration, showDuration } from './duration.ts';
import { functionOr } from './function-or.ts';
import { locksSchema } from './lock-schema.ts';
import { keepSchema } from './keep-schema.ts';
import { authorsSchema, forksSchema, hookSchema } from './hook-schema.ts';
import { nameSchema as name } from './name-schema.ts';
import { propertiesSchema } from './properties-schema.ts';
import { reporterSchema } from './reporter-schema.ts';
import { schedulerSchema } from './scheduler-schema.ts';
import { builderRequests, projectRequests } from './request-schema.ts';
import { envSchema, secretsSchema } from './secrets/schema.ts';
import { sourceSchema } from './source-schema.ts';
import { logLimit, stepSchema } from './step-schema.ts';
import type { OwnEnv, OwnLocks } from './values.ts';
import { hostSchema, workerSchema, workersSchema } from './worker-schema.ts';

const LONGEST_LIST = 10_000;

const HEARTBEAT_RULE = `write a time from ${showDuration(SHORTEST_HEARTBEAT_MS)} to ${showDuration(LONGEST_HEARTBEAT_MS)}`;
const ACCESS_RULE = "write { read: ['ann'], control: ['bob'] } with names of people, one of the two or both";
const LOST_RULE = "write 'wait', or { retryAfter: '30m' } with a time of your choice";

const MOST_CONNECTIONS = CONNECTIONS_KEPT - 1;
const FLAPPING_RULE = `write flapping: { connections: 6, within: '10m' }, with 1 to ${MOST_CONNECTIONS} connections`;

function isHeartbeat(text: string): boolean {
  // What is no duration at all is told by another check.
  if (!isOf(parseDuration, text)) return true;
  const ms = parseDuration(text);
  return ms >= SHORTEST_HEARTBEAT_MS && ms <= LONGEST_HEARTBEAT_MS;
}

/** What is said of a value of the wrong kind. */
const NO = {
  master: 'the default export is no configuration: end the file with `export default defineMaster({ … })`',
  project: 'this is no project: use project()',
  git: 'this is no source: use git()',
  builder: 'this is no builder: use builder()',
} as const;

function list<T extends z.ZodType>(item: T, what: string): z.ZodArray<T> {
  return z.array(item, { error: `give a list of ${what}` }).max(LONGEST_LIST);
}

const builder = z.strictObject(
  {
    kind: z.literal('builder', { error: NO.builder }),
    name,
    description: descriptionSchema.optional(),
    tags: tagsSchema.optional(),
    workers: workersSchema,
    env: functionOr<OwnEnv, typeof envSchema>(envSchema).optional(),
    secrets: list(name, 'names of secrets').optional(),
    properties: propertiesSchema.optional(),
    logLimit: logLimit.optional(),
    whenWorkerLost: z
      .union([z.literal('wait'), z.strictObject({ retryAfter: duration })], { error: LOST_RULE })
      .optional(),
    locks: functionOr<OwnLocks, typeof locksSchema>(locksSchema).optional(),
    ...builderRequests,
    ...builderFunctions,
    steps: list(stepSchema, 'steps').min(1, { error: 'give it at least one step' }),
  },
  { error: NO.builder },
);

const project = z.strictObject(
  {
    kind: z.literal('project', { error: NO.project }),
    name,
    description: descriptionSchema.optional(),
    source: sourceSchema(NO.git).optional(),
    builders: list(builder, 'builders').min(1, { error: 'give it at least one builder' }),
    schedulers: list(schedulerSchema, 'schedulers').optional(),
    ...projectRequests,
    keep: keepSchema.optional(),
    hook: hookSchema.optional(),
    forks: forksSchema.optional(),
    trustedAuthors: authorsSchema.optional(),
    access: z
      .strictObject(
        { read: list(name, 'names of people').optional(), control: list(name, 'names of people').optional() },
        { error: ACCESS_RULE },
      )
      .optional(),
  },
  { error: NO.project },
);

const flappingConnections = z
  .int({ error: FLAPPING_RULE })
  .min(1, { error: FLAPPING_RULE })
  .max(MOST_CONNECTIONS, { error: FLAPPING_RULE });
const troubles = z.strictObject(
  {
    missingAfter: duration.optional(),
    flapping: z
      .strictObject({ connections: flappingConnections, within: duration }, { error: FLAPPING_RULE })
      .optional(),
    fullAfter: duration.optional(),
  },
  {
    error: "write { missingAfter: '1h', flapping: { connections: 6, within: '10m' }, fullAfter: '5m' }, or some of it",
  },
);

/** The value a configuration file exports. What it says of other parts of it is checked by `check-config.ts`. */
export const configSchema = z.strictObject(
  {
    kind: z.literal('master', { error: NO.master }),
    format: z.number(),
    title: z.string({ error: 'give a title' }).min(1, { error: 'give a title' }).max(200),
    heartbeat: duration
      .refine(isHeartbeat, { error: ({ input }) => `${JSON.stringify(input)} is out of range: ${HEARTBEAT_RULE}` })
      .optional(),
    troubles: troubles.optional(),
    keep: keepSchema.optional(),
    properties: propertiesSchema.optional(),
    reporters: list(reporterSchema, 'reporters').optional(),
    hosts: list(hostSchema, 'hosts').optional(),
    secrets: secretsSchema.optional(),
    locks: locksSchema.optional(),
    workers: list(workerSchema, 'workers').min(1, { error: 'name at least one worker' }),
    projects: list(project, 'projects').min(1, { error: 'give at least one project' }),
  },
  { error: NO.master },
);

export type CheckedConfig = z.infer<typeof configSchema>;
export type CheckedBuilder = z.infer<typeof builder>;
export type CheckedProject = z.infer<typeof project>;
