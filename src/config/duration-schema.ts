import { z } from 'zod';
import { DURATION_RULE, parseDuration } from './duration.ts';

/** True when the text is what `parse` makes a number above 0 of. */
export function isOf(parse: (text: string) => number, text: string): boolean {
  try {
    return parse(text) > 0;
  } catch {
    // That it is none is all we want to know; the message is ours.
    return false;
  }
}

export const duration = z.string({ error: DURATION_RULE }).refine((text) => isOf(parseDuration, text), {
  error: ({ input }) => `${JSON.stringify(input)} is no duration: ${DURATION_RULE}`,
});
