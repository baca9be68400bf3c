import { setImmediate, setTimeout } from 'node:timers/promises';
import { hasProcessTable, readProcess, signalProcess } from './process-table.ts';
import type { ProcessEntry } from './process-table.ts';
import type { ScanResult, TreeScan } from './tree-scan.ts';

/** A process in an uninterruptible wait (a dead network disk) cannot be ended: say so then, and go on. */
const END_BOUND_MS = 60_000;
/** Rounds of freezing before killing is tried all the same. */
const FREEZE_ROUNDS = 200;
/** So many looks must find nobody when processes came and went during each of them. */
const QUIET_LOOKS = 5;
/** A process without environment and arguments for longer than this is not just in execve. */
const UNCLEAR_BOUND_MS = 5_000;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/** TERM to every process of the command, then waits until none is left, or for `graceMs`, or until `hurry`. */
export async function askTreeToEnd(scan: TreeScan, graceMs: number, hurry: AbortSignal): Promise<void> {
  if (!hasProcessTable) {
    const { leader } = scan.target;
    if (leader) signalProcess(-leader.pid, 'SIGTERM');
  } else {
    const result = scan.scan();
    signalAll(result, 'SIGTERM');
    // What is stopped would not hear it.
    signalAll(result, 'SIGCONT');
  }
  const end = performance.now() + graceMs;
  for (
    let pauseMs = FIRST_PAUSE_MS;
    performance.now() < end && !hurry.aborted;
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)
  ) {
    await setTimeout(Math.min(pauseMs, Math.max(1, end - performance.now())));
    if (isGone(scan)) return;
  }
}

/**
 * Ends every process of the command, also of a tree that forks as fast as it can. First everybody found is stopped, again
 * until a look finds nobody new: what is stopped cannot fork, so what a killed one had forked cannot be missed. Then all
 * are killed, and looked for until none is left. Resolves with the pids that could not be ended.
 */
export async function endTree(scan: TreeScan, boundMs = END_BOUND_MS): Promise<readonly number[]> {
  if (!hasProcessTable) return endGroup(scan, boundMs);
  const end = performance.now() + boundMs;
  const unclearEnd = performance.now() + UNCLEAR_BOUND_MS;
  let quiet = 0;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    const result = await freeze(scan);
    signalAll(result, 'SIGKILL');
    if (result.found.length > 0) quiet = 0;
    else if (result.unclear === 0 || performance.now() > unclearEnd) {
      if (result.vanished === 0 || ++quiet >= QUIET_LOOKS) return [];
    }
    if (performance.now() > end) return result.found.map((entry) => entry.pid);
    await setTimeout(pauseMs);
  }
}

/** Stops all until a look finds none that was not stopped before it; gives that last look. */
async function freeze(scan: TreeScan): Promise<ScanResult> {
  const stopped = new Set<string>();
  for (let round = 0; ; round++) {
    const result = scan.scan();
    const fresh = result.found.filter((entry) => !stopped.has(`${entry.pid}:${entry.startTicks}`));
    if (fresh.length === 0 || round >= FREEZE_ROUNDS) return result;
    signalAll({ found: fresh, groups: result.groups }, 'SIGSTOP');
    for (const entry of fresh) stopped.add(`${entry.pid}:${entry.startTicks}`);
    await setImmediate();
  }
}

/** Groups first: the kernel lets no fork slip through a signal to a group. */
function signalAll(result: Pick<ScanResult, 'found' | 'groups'>, signal: NodeJS.Signals): void {
  for (const group of result.groups) signalProcess(-group, signal);
  for (const entry of result.found) if (isSame(entry)) signalProcess(entry.pid, signal);
}

/** The pid may have gone to another process since it was looked at. */
function isSame(entry: ProcessEntry): boolean {
  return readProcess(entry.pid)?.startTicks === entry.startTicks;
}

function isGone(scan: TreeScan): boolean {
  const { leader } = scan.target;
  if (!hasProcessTable) return !leader || !signalProcess(-leader.pid, 0);
  const result = scan.scan();
  return result.found.length === 0 && result.unclear === 0 && result.vanished === 0;
}

async function endGroup(scan: TreeScan, boundMs: number): Promise<readonly number[]> {
  const { leader } = scan.target;
  if (!leader) return [];
  const end = performance.now() + boundMs;
  while (signalProcess(-leader.pid, 'SIGKILL')) {
    if (performance.now() > end) return [leader.pid];
    await setTimeout(LONGEST_PAUSE_MS);
  }
  return [];
}
