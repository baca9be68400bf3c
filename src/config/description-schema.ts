import { z } from 'zod';

const TAGS_MAX = 50;
const DESCRIPTION_CHARACTERS = 10_000;

const TAG_RULE = 'a tag has 1 to 64 letters, digits and the characters ._-+:/, the first a letter or digit';
const TAGS_RULE = "write tags: ['nightly', 'gcc']";
const DESCRIPTION_RULE = `write a text of 1 to ${DESCRIPTION_CHARACTERS} characters`;

/** What people find a builder by. */
export const tagsSchema = z
  .array(
    z.string({ error: TAG_RULE }).regex(/^[A-Za-z0-9][A-Za-z0-9._+:/-]{0,63}$/, {
      error: ({ input }) => `${JSON.stringify(input)} is no tag: ${TAG_RULE}`,
    }),
    { error: TAGS_RULE },
  )
  .max(TAGS_MAX, { error: `at most ${TAGS_MAX} tags` });

/** Text for people, kept as it is; markdown, by custom. */
export const descriptionSchema = z
  .string({ error: DESCRIPTION_RULE })
  .min(1, { error: DESCRIPTION_RULE })
  .max(DESCRIPTION_CHARACTERS, { error: DESCRIPTION_RULE });
