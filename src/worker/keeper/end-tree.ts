import { setImmediate, setTimeout } from 'node:timers/promises';
import { killCgroup } from './cgroup.ts';
import { bootId, hasProcessTable, readProcess, signalProcess } from './process-table.ts';
import type { ProcessEntry, ProcessIdentity } from './process-table.ts';
import type { TreeScan } from './tree-scan.ts';

/** Freezing is to win against a tree that forks within this; then killing goes on with whom it has. */
const FREEZE_BOUND_MS = 5_000;
/** So long at a time nothing else of the keeper runs: who pauses is overtaken by what forks. */
const SLICE_MS = 25;
/** Looks, one after the other, that must be sure and find nobody. */
const SURE_LOOKS = 2;
/** Where processes come and go all the time no look may ever be sure: then so many that found nobody are enough. */
const UNSURE_LOOKS = 300;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;

/** TERM to every process of the command, then waits until none is left, or for `graceMs`, or until `hurry`. */
export async function askTreeToEnd(scan: TreeScan, graceMs: number, hurry: AbortSignal): Promise<void> {
  const { leader } = scan.target;
  if (hasProcessTable) {
    const { found } = scan.look();
    askOnce(scan, found, 'SIGTERM');
    // What is stopped would not hear it.
    askOnce(scan, found, 'SIGCONT');
  } else if (leader) signalProcess(-leader.pid, 'SIGTERM');
  const end = performance.now() + graceMs;
  for (
    let pauseMs = FIRST_PAUSE_MS;
    performance.now() < end && !hurry.aborted;
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)
  ) {
    await setTimeout(Math.min(pauseMs, Math.max(1, end - performance.now())));
    if (!hasProcessTable) {
      if (!leader || !signalProcess(-leader.pid, 0)) return;
    } else {
      const { found, isSure } = scan.look();
      if (found.length === 0 && isSure) return;
    }
  }
}

/**
 * Ends every process of the command, also of a tree that forks as fast as it can. First everybody is stopped on sight, until
 * a look finds nobody new: what is stopped cannot fork, so no child is born behind our back. Then all are killed, those in its cgroup by the kernel as one, and
 * looked for until none is left, or for `boundMs`. Resolves with those that could not be ended.
 */
export async function endTree(scan: TreeScan, boundMs: number): Promise<readonly ProcessIdentity[]> {
  if (!hasProcessTable) return endGroup(scan, boundMs);
  const end = performance.now() + boundMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    const found = await freeze(scan);
    if (found.length === 0) return [];
    if (performance.now() > end) return found.map(({ pid, startTicks }) => ({ pid, startTicks, bootId: bootId() }));
    if (scan.target.cgroup !== undefined) killCgroup(scan.target.cgroup);
    for (const entry of found) signalEntry(scan, entry, 'SIGKILL');
    await setTimeout(pauseMs);
  }
}

/** Stops all, and gives them when sure looks find nobody that was not stopped before. */
async function freeze(scan: TreeScan): Promise<readonly ProcessEntry[]> {
  const stopped = new Set<string>();
  const end = performance.now() + FREEZE_BOUND_MS;
  let sliceEnd = performance.now() + SLICE_MS;
  for (let sure = 0, unsure = 0; ;) {
    let hasNew = false;
    const { found, isSure } = scan.look((entry) => {
      const key = `${entry.pid}:${entry.startTicks}`;
      if (stopped.has(key)) return;
      hasNew = true;
      stopped.add(key);
      signalEntry(scan, entry, 'SIGSTOP');
    });
    if (hasNew) sure = unsure = 0;
    else if (isSure) sure++;
    else unsure++;
    if (sure >= SURE_LOOKS || unsure >= UNSURE_LOOKS) return found;
    if (performance.now() < sliceEnd) continue;
    if (performance.now() > end && found.length > 0) return found;
    await setImmediate();
    sliceEnd = performance.now() + SLICE_MS;
  }
}

/** A program may take a second TERM for impatience, so each gets one: by its group, as all of that is the command's. */
function askOnce(scan: TreeScan, found: readonly ProcessEntry[], signal: NodeJS.Signals): void {
  const targets = found.map((entry) => (entry.group > 1 && scan.ownsSession(entry) ? -entry.group : entry.pid));
  for (const target of new Set(targets)) signalProcess(target, signal);
}

/** To its group as well, in one: the kernel lets no fork in a group slip through. */
function signalEntry(scan: TreeScan, entry: ProcessEntry, signal: NodeJS.Signals): void {
  // The pid may have gone to another process since it was looked at.
  if (readProcess(entry.pid)?.startTicks !== entry.startTicks) return;
  if (entry.group > 1 && scan.ownsSession(entry)) signalProcess(-entry.group, signal);
  signalProcess(entry.pid, signal);
}

async function endGroup(scan: TreeScan, boundMs: number): Promise<readonly ProcessIdentity[]> {
  const { leader } = scan.target;
  if (!leader) return [];
  const end = performance.now() + boundMs;
  while (signalProcess(-leader.pid, 'SIGKILL')) {
    if (performance.now() > end) return [leader];
    await setTimeout(LONGEST_PAUSE_MS);
  }
  return [];
}
