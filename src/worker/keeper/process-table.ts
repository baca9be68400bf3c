import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { errorCode } from '../../base/errors.ts';

/** A line of the process table, from /proc/PID/stat (proc(5)). */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks since the machine started: with the pid it names a process for good. */
  readonly startTicks: number;
  /** Dead, waiting for its parent to ask. */
  readonly isZombie: boolean;
  readonly isKernelThread: boolean;
}

/** Names one process for good, over a pid's reuse and the machine's restart. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
  readonly bootId: string;
}

const KERNEL_THREAD_FLAG = 0x00200000;

/** Without a /proc (macOS) only process groups can be told. */
export const hasProcessTable = process.platform === 'linux';

/** The entry of a process; undefined when there is none (any more), or no /proc. */
export function readProcess(pid: number): ProcessEntry | undefined {
  const line = readProc(`${pid}/stat`)?.toString('latin1');
  if (!line) return undefined;
  // The command's name stands in parentheses and may hold any character, also a parenthesis.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const number = (index: number): number => Number(fields[index] ?? 0);
  return {
    pid,
    parent: number(1),
    group: number(2),
    session: number(3),
    startTicks: number(19),
    isZombie: fields[0] === 'Z' || fields[0] === 'X',
    isKernelThread: (number(6) & KERNEL_THREAD_FLAG) !== 0,
  };
}

/** All pids, the newest first: what forks fast is more likely still there when its turn comes. */
export function listPids(): number[] {
  if (!hasProcessTable) return [];
  const pids: number[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (Number.isInteger(pid)) pids.push(pid);
  }
  return pids.sort((a, b) => b - a);
}

/** A file below /proc; undefined when the process is gone or not ours to look at. */
export function readProc(name: string): Buffer | undefined {
  if (!hasProcessTable) return undefined;
  try {
    return readFileSync(`/proc/${name}`);
  } catch (error) {
    if (isOutOfSight(error)) return undefined;
    throw error;
  }
}

/** Whether it has the pipe of this name open, which may have been removed; false when it is not ours to look at. */
export function holdsPipe(pid: number, name: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => linkOf(`${folder}/${fd}`).includes(`/${name}`));
  } catch (error) {
    if (isOutOfSight(error)) return false;
    throw error;
  }
}

/** Empty for a descriptor that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isOutOfSight(error)) return '';
    throw error;
  }
}

/** Of a file below /proc: the process is gone, or not ours to look at. */
function isOutOfSight(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM';
}

let knownBootId: string | undefined;

/** Changes with each start of the machine; empty where the system does not say. */
export function bootId(): string {
  knownBootId ??= readProc('sys/kernel/random/boot_id')?.toString('latin1').trim() ?? '';
  return knownBootId;
}

export function identityOf(pid: number): ProcessIdentity {
  return { pid, startTicks: readProcess(pid)?.startTicks ?? 0, bootId: bootId() };
}

/** Whether the very process still runs; a zombie does not. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false;
  if (!hasProcessTable) return signalProcess(identity.pid, 0);
  const entry = readProcess(identity.pid);
  return entry !== undefined && !entry.isZombie && entry.startTicks === identity.startTicks;
}

/** Sends a signal to a process, or to a group by its negative number; false when there is none or it is not ours. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    const code = errorCode(error);
    // Gone, or of another user: either way there is nothing that we could end.
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}
