/** Each is put into a line of shell by its name. */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Checks what is to be put before lists of folders, such as `PATH`. */
export function prependArg(
  prepend: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, readonly string[]>> {
  for (const [name, folders] of Object.entries(prepend)) {
    if (!VARIABLE.test(name)) {
      throw new TypeError(`prepend: ${JSON.stringify(name)} is no name of an environment variable`);
    }
    const isList = Array.isArray(folders) && folders.length > 0;
    // An empty one would be the current folder, for whatever looks there.
    if (!isList || !folders.every((one: unknown) => typeof one === 'string' && /^[^:\0]+$/.test(one))) {
      throw new TypeError(`prepend ${name}: give a list of folders, without ":" in them`);
    }
  }
  return prepend;
}
