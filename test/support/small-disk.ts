import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A real file system of a few megabytes. */
export interface SmallDisk {
  readonly dir: string;
  freeBytes(): number;
  /** Takes room until no more than so many bytes are free. */
  fill(leaveBytes: number): void;
  /** Gives it back. */
  relieve(): void;
  remove(): Promise<void>;
}

/** Undefined, with the reason printed, where nothing may be mounted. At `dir` if given, which is made. */
export async function smallDisk(bytes: number, dir?: string): Promise<SmallDisk | undefined> {
  const place = dir ?? (await mkdtemp(join(tmpdir(), 'td-')));
  await mkdir(place, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'trunkline-test', place], { stdio: 'pipe' });
  } catch (error) {
    console.log(`skipped: no small file system can be mounted here: ${error instanceof Error ? error.message : ''}`);
    return undefined;
  }
  const ballast = join(place, '.ballast');
  const freeBytes = (): number => {
    const { bavail, bsize } = statfsSync(place);
    return bavail * bsize;
  };
  return {
    dir: place,
    freeBytes,
    fill(leaveBytes) {
      const file = openSync(ballast, 'a');
      try {
        while (freeBytes() > leaveBytes) writeSync(file, Buffer.alloc(Math.min(65_536, freeBytes() - leaveBytes)));
      } finally {
        closeSync(file);
      }
    },
    relieve: () => rmSync(ballast, { force: true }),
    async remove() {
      execFileSync('umount', ['-l', place]);
      await rm(place, { recursive: true, force: true });
    },
  };
}
