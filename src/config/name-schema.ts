import { z } from 'zod';
import { isName, NAME_RULE } from '../model/names.ts';

export const nameSchema = z
  .string({ error: 'give it a name' })
  .refine(isName, { error: ({ input }) => `the name ${JSON.stringify(input)} is not allowed: use ${NAME_RULE}` });
