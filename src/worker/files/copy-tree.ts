import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { cp, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { syncFolder } from '../../base/atomic-file.ts';
import { errorCode } from '../../base/errors.ts';
import { partPath } from './part-file.ts';
import { TransferRefused } from './transfer-line.ts';

export interface CopyWish {
  readonly command: string;
  /** Absolute. */
  readonly from: string;
  readonly to: string;
  /** As they were asked for. */
  readonly shown: { readonly from: string; readonly to: string };
  /** Throws when nobody waits for it any more. */
  readonly check: () => void;
}

/**
 * Copies a file or a tree, with modes and times, links as links; what was in the target's place is replaced when the copy is whole. Done
 * again from the beginning after a crash.
 */
export async function copyTree({ command, from, to, shown, check }: CopyWish): Promise<void> {
  if (from === to || to.startsWith(from + sep) || from.startsWith(to + sep)) {
    throw new TransferRefused(`"${shown.from}" and "${shown.to}" are one in the other`);
  }
  await mkdir(dirname(to), { recursive: true });
  const part = partPath(to, command);
  await rm(part, { recursive: true, force: true });
  try {
    await cp(from, part, {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
      mode: constants.COPYFILE_FICLONE,
      filter: () => {
        check();
        return true;
      },
    });
    check();
    await putInPlace(part, to);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    throw error;
  }
}

/** A rename replaces a file by itself, and nothing else. */
export async function putInPlace(from: string, to: string): Promise<void> {
  const [source, target] = await Promise.all([lstat(from), lstatIfThere(to)]);
  if (target && (source.isDirectory() || target.isDirectory())) await rm(to, { recursive: true, force: true });
  await rename(from, to);
  await syncFolder(dirname(to));
}

export async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
