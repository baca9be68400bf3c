import { lstat, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { errorCode } from '../base/errors.ts';

/** A path that a master asked for and that the worker does not touch. */
export class PathRefused extends Error {
  override readonly name = 'PathRefused';
}

/**
 * Where `relative` lies under `root`, which must exist: absolute, and never outside, whatever `..` and symbolic links say. What
 * does not exist yet may be named. With `keepLink` a link in the last place is itself meant, not what it points to.
 *
 * It keeps a configuration's mistake from touching the machine's other files; it is no wall against the builds, which run as
 * the same user and could swap a folder for a link between this look and the use.
 */
export async function insideFolder(
  root: string,
  relative: string,
  options: { readonly keepLink?: boolean } = {},
): Promise<string> {
  const top = await realpath(root);
  const names = splitRelative(relative);
  let place = top;
  for (const [index, name] of names.entries()) {
    const next = join(place, name);
    if (options.keepLink && index === names.length - 1) return next;
    const real = await realIfThere(next, relative);
    if (real === undefined) return join(next, ...names.slice(index + 1));
    if (real !== top && !real.startsWith(top === sep ? sep : top + sep)) {
      throw new PathRefused(`"${relative}" leaves the session's folder: ${name} is a link to ${real}`);
    }
    place = real;
  }
  return place;
}

function splitRelative(relative: string): readonly string[] {
  if (relative.includes('\0')) throw new PathRefused('a path may not hold a zero byte');
  if (relative.startsWith('/')) throw new PathRefused(`"${relative}" is absolute: paths begin in the session's folder`);
  const names = relative.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw new PathRefused(`"${relative}" leaves the session's folder by ".."`);
  return names;
}

async function realIfThere(path: string, asked: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOTDIR') throw new PathRefused(`"${asked}" goes through a file that is no folder`, { cause: error });
    if (code === 'ELOOP') throw new PathRefused(`"${asked}" goes round in links`, { cause: error });
    if (code !== 'ENOENT') throw error;
  }
  const found = await lstat(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  // A link that points nowhere yet would be followed by whoever creates the file.
  if (found?.isSymbolicLink()) throw new PathRefused(`"${asked}" goes through a link that points nowhere: ${path}`);
  // Somebody made it between the two looks.
  return found && (await realIfThere(path, asked));
}
