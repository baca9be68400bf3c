/**
 * `sh -c SCRIPT prepend NAME FOLDERS … -- COMMAND…`: what the worker has in a variable is known there alone. A variable that is
 * empty there becomes no empty entry, which would stand for the current folder.
 */
const SCRIPT = `
while [ "$1" != -- ]; do
  eval "export $1=\\"\\$2\\\${$1:+:\\$$1}\\""
  shift 2
done
shift
exec "$@"`;

/** A command that has these folders before those of its variables, as words of a command. The names are checked. */
export function withPrepended(
  command: string | readonly string[],
  prepend: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  const pairs = Object.entries(prepend).flatMap(([name, folders]) => [name, folders.join(':')]);
  const words = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  return ['/bin/sh', '-c', SCRIPT, 'prepend', ...pairs, '--', ...words];
}
