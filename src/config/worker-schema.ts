import { z } from 'zod';
import { duration } from './duration-schema.ts';
import { nameSchema as name } from './name-schema.ts';
import { propertiesSchema } from './properties-schema.ts';

const NO_WORKER = 'this is no worker: use worker()';
const NO_HOST = 'this is no host: use host()';
const MOST_LABELS = 100;
const LABEL = /^[A-Za-z0-9_][A-Za-z0-9._/-]{0,63}$/;
const LABELS_RULE =
  "write labels: { os: 'debian', arch: 'arm64' }, or labels: ['gpu'], of letters, digits, '.', '_', '/' and '-', at most 64";
const SELECTOR_RULE =
  "write workers: ['sid'], or { labels: { os: 'debian' }, not: { arch: 'arm64' } }, or { names: ['sid'], labels: { … } }";
const COUNT_RULE = 'write a whole number of 1 or more';

const word = z.string().min(1).max(4_096);
const label = z.string().regex(LABEL);
const labelList = z.array(label, { error: LABELS_RULE }).max(MOST_LABELS);
const labels = z.union([labelList, z.record(label, label)], { error: LABELS_RULE });
/** As a builder asks for them: a label may have one of several values. */
const wantedLabels = z.union([labelList, z.record(label, z.union([label, z.array(label).min(1)]))], {
  error: SELECTOR_RULE,
});

export const maxBuilds = z
  .int({ error: COUNT_RULE })
  .min(1, { error: COUNT_RULE })
  .max(1_000, { error: 'at most 1000' });

export const workerSchema = z.strictObject(
  {
    kind: z.literal('worker', { error: NO_WORKER }),
    name,
    maxBuilds: maxBuilds.optional(),
    labels: labels.optional(),
    startSpacing: duration.optional(),
    host: word.optional(),
    owner: word.optional(),
    missingAfter: duration.optional(),
    properties: propertiesSchema.optional(),
  },
  { error: NO_WORKER },
);

export const hostSchema = z.strictObject(
  {
    kind: z.literal('host', { error: NO_HOST }),
    name: word,
    maxBuilds: maxBuilds.optional(),
    startSpacing: duration.optional(),
  },
  { error: NO_HOST },
);

const names = z.array(z.string(), { error: SELECTOR_RULE }).max(10_000);

/** Which workers a builder may have. */
export const workersSchema = z.union(
  [
    names,
    z
      .strictObject({ names: names.optional(), labels: wantedLabels.optional(), not: wantedLabels.optional() })
      .refine((wanted) => wanted.names !== undefined || wanted.labels !== undefined || wanted.not !== undefined, {
        error: SELECTOR_RULE,
      }),
  ],
  { error: SELECTOR_RULE },
);

export type CheckedLabels = z.infer<typeof labels>;
export type CheckedWorkers = z.infer<typeof workersSchema>;
