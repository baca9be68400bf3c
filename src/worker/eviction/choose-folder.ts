import { isIdle } from '../session-book.ts';
import type { HeldSession, LeftFolder } from '../session-book.ts';

/** A folder that may go. */
export interface IdleFolder {
  /** Relative to the work folder. */
  readonly directory: string;
  /** Undefined: of a session that is known no more. */
  readonly session: string | undefined;
  readonly usedAtMs: number;
}

/** Folders of sessions that no build uses, the least recently used first; none that lies in, or around, one that is in use. */
export function idleFolders(held: readonly HeldSession[], left: readonly LeftFolder[]): readonly IdleFolder[] {
  const used = held.filter((one) => !isIdle(one)).map(({ directory }) => directory);
  const folders = [
    ...held.flatMap(({ session, directory, idle }) => (idle ? [{ session, directory, usedAtMs: idle.atMs }] : [])),
    ...left.map(({ directory, atMs }) => ({ session: undefined, directory, usedAtMs: atMs })),
  ];
  return folders
    .filter(({ directory }) => !used.some((one) => overlap(one, directory)))
    .toSorted((one, other) => one.usedAtMs - other.usedAtMs);
}

function overlap(one: string, other: string): boolean {
  const [a, b] = [parts(one), parts(other)];
  return a.every((name, index) => b[index] === name || index >= b.length);
}

function parts(directory: string): readonly string[] {
  return directory.split('/').filter((name) => name !== '' && name !== '.');
}
