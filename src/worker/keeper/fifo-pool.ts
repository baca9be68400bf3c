import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, rmSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** One spawn of mkfifo costs as much as the command's own: make many at once, ahead of need. */
const BATCH = 16;
const LOW = 6;

export interface Fifo {
  /** No other pipe of this machine has or had it: what holds it open is told by it (`/proc/PID/fd`), whatever became of its name. */
  readonly name: string;
  /** Not blocking. */
  readonly readEnd: number;
  /** Blocking, as programs expect of their standard output. To be closed by us once the process has it. */
  readonly writeEnd: number;
}

/** Runs the work while no command is being started. */
type Aside = (work: () => Promise<unknown>) => Promise<unknown>;

/**
 * Pipes for the output of commands. Node's own stdio pipes are sockets, on which a command cannot open /dev/stdout; and Node
 * cannot make a pipe. The names are removed as soon as both ends are open.
 */
export class FifoPool {
  readonly #dir: string;
  readonly #prefix: string;
  readonly #aside: Aside;
  readonly #names: string[] = [];
  #made = 0;
  #filling: Promise<void> | undefined;

  /** Files are named `PREFIX.NUMBER` in the folder. `aside` runs what starts a process of ours. */
  constructor(dir: string, prefix: string, aside: Aside = (work) => work()) {
    this.#dir = dir;
    this.#prefix = prefix;
    this.#aside = aside;
  }

  async take(): Promise<Fifo> {
    for (;;) {
      const name = this.#names.pop();
      if (this.#names.length < LOW) {
        const filling = this.fill();
        if (name === undefined) await filling;
        // Ahead of need: a failure comes again, and is told, when one is needed.
        else filling.catch(() => undefined);
      }
      if (name !== undefined) return openFifo(name);
    }
  }

  fill(): Promise<void> {
    this.#filling ??= this.#make().finally(() => {
      this.#filling = undefined;
    });
    return this.#filling;
  }

  async #make(): Promise<void> {
    const names = Array.from({ length: BATCH }, () => join(this.#dir, `${this.#prefix}.${this.#made++}`));
    await this.#aside(() => run('mkfifo', ['-m', '600', ...names]));
    this.#names.push(...names);
  }

  /** Removes those that nobody took. */
  async close(): Promise<void> {
    await this.#filling?.catch(() => undefined);
    for (const name of this.#names.splice(0)) rmSync(name, { force: true });
  }
}

function openFifo(name: string): Fifo {
  const readEnd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return { name: basename(name), readEnd, writeEnd: openSync(name, constants.O_WRONLY) };
  } catch (error) {
    closeSync(readEnd);
    throw error;
  } finally {
    unlinkSync(name);
  }
}
