/** Names of projects, builders, workers and people: they become names of folders and SSH users. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function isName(value: string): boolean {
  return NAME.test(value);
}

/** What a name must be, for messages to people. */
export const NAME_RULE = 'letters, digits, ".", "_" and "-", at most 64, the first a letter or digit';
