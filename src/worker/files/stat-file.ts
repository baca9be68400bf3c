import { lstat, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { insideFolder, PathRefused } from '../inside-folder.ts';
import { lstatIfThere } from './copy-tree.ts';

/**
 * What is at a path below a session's folder: `type`, and unless that is `none` also `size`, `mode` (octal) and `mtimeMs`. A link is
 * followed, unless it leads out of the folder or nowhere: that is of type `link`.
 */
export async function statFile(folder: string, path: string): Promise<Readonly<Record<string, string>>> {
  const place = await insideFolder(folder, path, { keepLink: true });
  const found = await lstatIfThere(place);
  if (!found) return { type: 'none' };
  return factsOf(found.isSymbolicLink() ? await followed(folder, path, place) : found);
}

async function followed(folder: string, path: string, place: string): Promise<Stats> {
  try {
    return await stat(await insideFolder(folder, path));
  } catch (error) {
    if (error instanceof PathRefused) return await lstat(place);
    throw error;
  }
}

function factsOf(found: Stats): Readonly<Record<string, string>> {
  const type = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : found.isSymbolicLink() ? 'link' : 'other';
  const { size, mode, mtimeMs } = found;
  return { type, size: String(size), mode: (mode & 0o7777).toString(8), mtimeMs: String(Math.floor(mtimeMs)) };
}
