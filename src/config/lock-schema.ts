import { z } from 'zod';
import { LARGEST_SLOTS } from '../model/lock.ts';
import { nameSchema } from './name-schema.ts';
import type { LockAccessConfig } from './values.ts';

const SLOTS_RULE = `write a whole number from 1 to ${LARGEST_SLOTS}`;
const UNITS_RULE = `ask for a whole number of units from 0 to ${LARGEST_SLOTS}`;
const SLOTS_FOR_RULE = 'write slotsFor: { NAME: 2 } with names of workers, or of hosts for a hostLock()';

const slots = z.int({ error: SLOTS_RULE }).min(1, { error: SLOTS_RULE }).max(LARGEST_SLOTS, { error: SLOTS_RULE });
const ask = z.custom<() => LockAccessConfig>((value) => typeof value === 'function');
const facts = {
  name: nameSchema,
  scope: z.enum(['farm', 'worker', 'host']),
  slots,
  slotsFor: z.record(z.string(), slots, { error: SLOTS_FOR_RULE }).optional(),
};

/** A lock by itself, or what is asked of one. */
const lockSchema = z
  .discriminatedUnion(
    'kind',
    [
      z.strictObject({ kind: z.literal('lock'), ...facts, exclusive: ask, counting: ask }),
      z.strictObject({
        kind: z.literal('lockAccess'),
        ...facts,
        mode: z.enum(['counting', 'exclusive']),
        units: z.int({ error: UNITS_RULE }).min(0, { error: UNITS_RULE }).max(LARGEST_SLOTS, { error: UNITS_RULE }),
      }),
    ],
    { error: 'this is no lock: use masterLock(), workerLock() or hostLock()' },
  )
  .refine(({ scope, slotsFor }) => scope !== 'farm' || slotsFor === undefined, {
    path: ['slotsFor'],
    error: 'a masterLock() has the same slots for all; use workerLock() or hostLock()',
  });

const LONGEST_LIST = 10_000;

export const locksSchema = z.array(lockSchema, { error: 'give a list of locks' }).max(LONGEST_LIST);

export type CheckedLock = z.infer<typeof lockSchema>;
