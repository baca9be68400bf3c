import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { figuresOf } from '../support/process-figures.ts';

/** Of `/proc/PID/stat`: proc(5) counts in units of 1/100 s on Linux, whatever the kernel's own tick is. */
const TICKS_A_SECOND = 100;

/** What a process, and what it had waited for, has used of the processors, in seconds. */
export async function processorSeconds(pid: number): Promise<{ readonly own: number; readonly children: number }> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) / TICKS_A_SECOND, children: (childrenUser + childrenSystem) / TICKS_A_SECOND };
}

/** The most that a process held at any look, one a second. */
export class Peaks {
  #descriptors = 0;
  #residentMiB = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#timer = setInterval(() => {
      // Between two looks it may have ended.
      figuresOf(pid).then(
        ({ descriptors, residentMiB }) => {
          this.#descriptors = Math.max(this.#descriptors, descriptors);
          this.#residentMiB = Math.max(this.#residentMiB, residentMiB);
        },
        () => clearInterval(this.#timer),
      );
    }, 1_000);
  }

  close(): { readonly descriptors: number; readonly residentMiB: number } {
    clearInterval(this.#timer);
    return { descriptors: this.#descriptors, residentMiB: this.#residentMiB };
  }
}

/** Bytes of all files below a folder. */
export async function bytesOf(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return sum;
}
