import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { errorText } from '../../src/base/errors.ts';

/** Of what the program says the end is kept, for the line of a case that fails. */
const KEPT_WORDS = 2_000;

/** There is no such program, or it may not be run: no case can tell anything of it. */
export class NoProgram extends Error {}

/** The worker program under test. */
export class Program {
  readonly #words: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #said = '';

  constructor(words: readonly string[], env: Readonly<Record<string, string>>) {
    this.#words = words;
    this.#env = env;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** The last line it said on stderr. */
  get lastWords(): string {
    return this.#said.trim().split('\n').at(-1) ?? '';
  }

  /** Why no line will come any more; undefined while it runs. */
  get whyGone(): string | undefined {
    const { exitCode, signalCode } = this.#child ?? { exitCode: null, signalCode: null };
    return exitCode === null && signalCode === null ? undefined : `the program ended (${exitCode ?? signalCode})`;
  }

  /** Rejects with NoProgram when there is none. */
  async start(): Promise<void> {
    const [file = '', ...args] = this.#words;
    const child = spawn(file, args, { env: this.#env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      this.#said = (this.#said + piece).slice(-KEPT_WORDS);
    });
    try {
      await once(child, 'spawn');
    } catch (error) {
      throw new NoProgram(`the program cannot be started: ${errorText(error)}`, { cause: error });
    }
  }

  /** kill -9. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || this.whyGone !== undefined) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

/** A process that has ended and was not waited for counts as ended. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    // Without /proc the signal alone tells.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && process.platform !== 'linux';
  }
}

/** Resident bytes; undefined where the kernel does not tell. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1_024;
  } catch {
    return undefined;
  }
}

/** Ends what a failed case may have left: processes that work below the folder. */
export function endProcessesBelow(dir: string): void {
  if (process.platform !== 'linux') return;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      if (readlinkSync(`/proc/${name}/cwd`).startsWith(dir)) process.kill(Number(name), 'SIGKILL');
    } catch {
      // It has ended meanwhile, or is another user's.
    }
  }
}
