import { mkdir } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { TRASH } from './eviction/trash.ts';
import { PathRefused, insideFolder } from './inside-folder.ts';

/** A session's folder under the work folder, made when it is not there. */
export async function sessionFolder(workDir: string, directory: string): Promise<string> {
  // People remove it whole, to begin anew.
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const folder = await insideFolder(workDir, directory);
  const top = await insideFolder(workDir, '');
  if (folder === top) throw new PathRefused('a session needs a folder of its own');
  if (relative(top, folder).split(sep)[0] === TRASH) throw new PathRefused(`${TRASH} is for folders that are removed`);
  await mkdir(folder, { recursive: true });
  return folder;
}
