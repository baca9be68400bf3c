import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, errorText } from '../../base/errors.ts';
import { faultOf } from './machine-fault.ts';

export interface Launch {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array;
  /** Where the stdin's bytes may lie for a moment. */
  readonly dir: string;
  /** Both stdout and stderr. */
  readonly output: number;
}

export type Launched = { readonly child: ChildProcess; readonly pid: number } | Refused;

/** `fault`: the machine's, and not the command's. */
export interface Refused {
  readonly refused: string;
  readonly fault?: 'worker';
}

/** Starts the process as the leader of a session and a group of its own, or says for a person why it could not. */
export async function launchProcess(launch: Launch): Promise<Launched> {
  const [program, ...args] = launch.argv;
  if (program === undefined || program === '') return { refused: 'the command names no program' };
  let input: number | 'ignore' = 'ignore';
  try {
    input = launch.stdin && launch.stdin.byteLength > 0 ? openInput(launch.dir, launch.stdin) : 'ignore';
    const child = spawn(program, args, {
      cwd: launch.cwd,
      env: launch.env,
      stdio: [input, launch.output, launch.output],
      detached: true,
    });
    if (child.pid !== undefined) return { child, pid: child.pid };
    const [error] = (await once(child, 'error')) as [unknown];
    return { refused: whyRefused(error, program, launch), ...faultOf(error) };
  } catch (error) {
    return { refused: whyRefused(error, program, launch), ...faultOf(error) };
  } finally {
    if (typeof input === 'number') closeSync(input);
  }
}

/** A file rather than a pipe: nobody has to feed it, and the keeper may die meanwhile. */
function openInput(dir: string, bytes: Uint8Array): number {
  const path = join(dir, 'stdin');
  writeFileSync(path, bytes, { mode: 0o600 });
  const fd = openSync(path, 'r');
  unlinkSync(path);
  return fd;
}

function whyRefused(error: unknown, program: string, { cwd, env }: Launch): string {
  // The system answers the same for a missing program and a missing folder.
  const folder = folderFault(cwd);
  if (folder) return folder;
  switch (errorCode(error)) {
    case 'ENOENT':
      return program.includes('/')
        ? `no such program: ${program} (or the interpreter that its first line names is missing)`
        : `no such program: ${program} is in no folder of PATH=${env['PATH'] ?? ''}`;
    case 'EACCES':
      return `the program ${program} may not be executed: permission denied`;
    case 'E2BIG':
      return `the arguments and the environment of ${program} are too long for this system`;
    default:
      return `could not start ${program}: ${errorText(error)}`;
  }
}

function folderFault(cwd: string): string | undefined {
  try {
    return statSync(cwd).isDirectory() ? undefined : `the working folder ${cwd} is not a folder`;
  } catch (error) {
    return errorCode(error) === 'EACCES'
      ? `the working folder ${cwd} may not be entered: permission denied`
      : `the working folder ${cwd} is not there (${errorText(error)})`;
  }
}
