import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { Cancel, Clock } from '../../base/clock.ts';
import { Gate } from '../../base/gate.ts';
import { showDuration } from '../../config/duration.ts';
import { SourceError } from './source-error.ts';

/** Each git has some megabytes, a connection, and now and then a core. */
const PROCESSES_AT_ONCE = 4;
/** What is kept of what git complains of. */
const COMPLAINT_CHARACTERS = 2_000;

/**
 * The leader of a process group of its own. Its fourth descriptor ends with the master, however that ends, and the group with it:
 * nothing goes on writing into a mirror that the next master uses.
 */
const GROUP = `
exec 4<&0
"$@" <&4 3<&- 4<&- &
git=$!
exec 4<&-
{ read -r _; kill -KILL 0; } <&3 >/dev/null 2>&1 &
wait "$git"
status=$?
kill -KILL $! 2>/dev/null
exit "$status"
`;

export interface GitRun {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** What it is told on standard input. */
  readonly input?: string;
  readonly limitMs: number;
  /** Gets its output as it comes. */
  readonly onOutput?: (piece: Buffer) => void;
  /** Each ends it, with its reason. */
  readonly signals?: readonly AbortSignal[];
}

/** Runs git for the master, a few at a time, each bounded in time and never without the master. */
export class GitRunner {
  readonly #clock: Clock;
  readonly #gate = new Gate(PROCESSES_AT_ONCE);
  readonly #stop = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when git has ended well; rejects with a `SourceError` that tells what git said, or what ended it. */
  run(order: GitRun): Promise<void> {
    return this.#gate.pass(() => this.#run(order));
  }

  /** Ends all that run and wait. */
  close(): void {
    this.#stop.abort(new SourceError('stopped', 'the master stops'));
  }

  async #run({ args, env, input = '', limitMs, onOutput, signals = [] }: GitRun): Promise<void> {
    const ends = [this.#stop.signal, ...signals];
    for (const one of ends) one.throwIfAborted();
    const child = spawn('/bin/sh', ['-c', GROUP, 'git', 'git', ...args], {
      env,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    let ended: Error | undefined;
    const end = (why: unknown): void => {
      ended ??= why instanceof Error ? why : new SourceError('git', String(why));
      killGroup(child);
    };
    const undo = [
      this.#clock.after(limitMs, () => end(new SourceError('slow', `git took longer than ${showDuration(limitMs)}`))),
      ...ends.map((one) => onAbort(one, end)),
    ];
    let complaint = '';
    child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
      complaint = (complaint + piece).slice(-COMPLAINT_CHARACTERS);
    });
    child.stdout?.on('data', (piece: Buffer) => {
      try {
        if (ended === undefined) onOutput?.(piece);
      } catch (error) {
        end(error);
      }
    });
    for (const pipe of [child.stdin, child.stdio[3] as Writable | null]) {
      pipe?.on('error', () => undefined); // It has ended, which its status tells.
    }
    child.stdin?.end(input);
    try {
      const status = await exit(child);
      if (ended !== undefined) throw ended;
      if (status !== 0) throw SourceError.ofGit(complaint, status);
    } finally {
      for (const cancel of undo) cancel();
      killGroup(child);
      (child.stdio[3] as Writable | null)?.destroy();
    }
  }
}

function exit(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new SourceError('git', `git cannot be started: ${error.message}`)));
    child.once('close', resolve);
  });
}

/** Also what git has started: its ssh, its helpers. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

function onAbort(signal: AbortSignal, end: (why: unknown) => void): Cancel {
  const listener = (): void => end(signal.reason);
  signal.addEventListener('abort', listener);
  return () => signal.removeEventListener('abort', listener);
}
