import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { errorCode } from '../../base/errors.ts';

/**
 * The lists that `glob` made, a file each until its command is forgotten: what the master has a part of is not made anew, with
 * other paths in it.
 */
export class MadeLists {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Removes those whose command is not known. */
  static async open(folder: string, isKnown: (command: string) => boolean): Promise<MadeLists> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) if (!isKnown(name)) await rm(join(folder, name), { force: true });
    return new MadeLists(folder);
  }

  /** The file of a command's list: as it is, or as `make` makes it. */
  async file(command: string, make: () => Promise<readonly string[]>): Promise<string> {
    const path = join(this.#folder, command);
    try {
      await stat(path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      const list = await make();
      await writeFileAtomic(path, list.map((one) => `${one}\0`).join(''), 0o600);
    }
    return path;
  }

  async remove(command: string): Promise<void> {
    await rm(join(this.#folder, command), { force: true });
  }
}
