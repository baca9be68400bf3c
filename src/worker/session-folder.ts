import { mkdir } from 'node:fs/promises';
import { PathRefused, insideFolder } from './inside-folder.ts';

/** A session's folder under the work folder, made when it is not there. */
export async function sessionFolder(workDir: string, directory: string): Promise<string> {
  // People remove it whole, to begin anew.
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const folder = await insideFolder(workDir, directory);
  if (folder === (await insideFolder(workDir, ''))) throw new PathRefused('a session needs a folder of its own');
  await mkdir(folder, { recursive: true });
  return folder;
}
