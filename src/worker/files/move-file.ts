import { mkdir } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { lstatIfThere, putInPlace } from './copy-tree.ts';
import { TransferRefused } from './transfer-line.ts';

export interface MoveWish {
  /** Absolute. */
  readonly from: string;
  readonly to: string;
  readonly shown: { readonly from: string; readonly to: string };
  /** What an earlier run of this command was about to move. */
  readonly inode: string | undefined;
  /** Resolves when it is on disk. */
  readonly remember: (inode: string) => Promise<void>;
}

/**
 * Renames a file or a tree; what was in the target's place is replaced. Which one is remembered before it is moved, so that after a crash
 * one that is in its new place is known for it, and not missed in the old.
 */
export async function moveFile({ from, to, shown, inode, remember }: MoveWish): Promise<void> {
  if (from === to || to.startsWith(from + sep) || from.startsWith(to + sep)) {
    throw new TransferRefused(`"${shown.from}" and "${shown.to}" are one in the other`);
  }
  const source = await lstatIfThere(from);
  if (!source) {
    const target = inode === undefined ? undefined : await lstatIfThere(to);
    if (target && String(target.ino) === inode) return;
    throw new TransferRefused(`"${shown.from}" is not there`);
  }
  await remember(String(source.ino));
  await mkdir(dirname(to), { recursive: true });
  await putInPlace(from, to);
}
