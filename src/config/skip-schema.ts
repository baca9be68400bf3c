import { z } from 'zod';

const SKIP_RULE = "give a list of texts: ['[skip ci]']";
const MOST_SKIPS = 100;
const LONGEST_SKIP = 100;
const mark = z.string({ error: SKIP_RULE }).min(1, { error: SKIP_RULE }).max(LONGEST_SKIP, { error: SKIP_RULE });

/** Texts by which a commit says that nothing is to be built of it. */
export const skipSchema = z.array(mark, { error: SKIP_RULE }).max(MOST_SKIPS);

/** As other systems have it, and people expect it. */
export const DEFAULT_SKIPS: readonly string[] = ['[skip ci]', '[ci skip]'];
