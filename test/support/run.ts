import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

export interface Ran {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly text: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the process once it is there, to signal it or to read along. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** Runs a program to its end and keeps all it printed. A status other than 0 is no error here. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (piece: Buffer) => out.push(piece));
    child.stderr.on('data', (piece: Buffer) => err.push(piece));
    child.stdin.on('error', (error: NodeJS.ErrnoException) => {
      // A program may end without reading what it is given.
      if (error.code !== 'EPIPE') reject(error);
    });
    child.once('error', reject);
    child.once('close', (status, signal) => {
      const stdout = Buffer.concat(out);
      resolve({ status, signal, stdout, text: stdout.toString(), stderr: Buffer.concat(err).toString() });
    });
    child.stdin.end(options.input ?? '');
    options.onSpawn?.(child);
  });
}

/** Runs a program that must succeed; its output without the last newline. */
export async function runOk(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const ran = await run(program, args, options);
  if (ran.status !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${ran.status ?? ran.signal}: ${ran.stderr}${ran.text}`);
  return ran.text.replace(/\n$/, '');
}
