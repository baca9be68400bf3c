import { carriesCookie } from './cookie.ts';
import { isAlive, listPids, readProc, readProcess } from './process-table.ts';
import type { ProcessEntry, ProcessIdentity } from './process-table.ts';

/** How to know the processes of a command. */
export interface TreeTarget {
  readonly cookie: string;
  /** The main process, when it is known to lead its group still, or to have ended just now. */
  readonly leader?: ProcessIdentity;
}

export interface ScanResult {
  /** Processes of the command that live, also stopped ones. */
  readonly found: readonly ProcessEntry[];
  /** Groups whose every living member was found: a signal to such a group reaches also what is being forked in it. */
  readonly groups: readonly number[];
  /** In the middle of execve, when an environment reads empty: it may be one of ours. */
  readonly unclear: number;
  /** Ended between the listing and the look: it may have been one of ours, and have left a child. */
  readonly vanished: number;
}

/**
 * Finds the processes of a command, again and again: those with its cookie in their environment, those in the main
 * process's group or session, and the children of any of these (a child may have been given an empty environment).
 */
export class TreeScan {
  readonly target: TreeTarget;
  /** Once found, always ours, also when its parent has died and it carries no cookie. */
  readonly #members = new Set<string>();
  /** Seen to carry no cookie. A later execve may only give it one if it is a child of ours, which its parent tells. */
  #strangers = new Set<string>();
  /** The group's number may be given to others once the main process is gone and nobody is left in the group. */
  #trustsGroup: boolean;

  constructor(target: TreeTarget) {
    this.target = target;
    this.#trustsGroup = target.leader !== undefined;
  }

  scan(): ScanResult {
    const entries: ProcessEntry[] = [];
    let vanished = 0;
    let unclear = 0;
    const marked = new Set<number>();
    const strangers = new Set<string>();
    for (const pid of listPids()) {
      const entry = readProcess(pid);
      if (!entry) {
        vanished++;
        continue;
      }
      if (entry.isZombie || entry.isKernelThread || pid === process.pid) continue;
      entries.push(entry);
      const kind = this.#judge(entry);
      if (kind === 'ours') marked.add(pid);
      else if (kind === 'stranger') strangers.add(keyOf(entry));
      else if (kind === 'vanished') vanished++;
      else unclear++;
    }
    this.#strangers = strangers;
    addChildren(entries, marked);
    const found = entries.filter((entry) => marked.has(entry.pid));
    for (const entry of found) this.#members.add(keyOf(entry));
    this.#forgetEmptyGroup(found);
    return { found, groups: wholeGroups(entries, marked), unclear, vanished };
  }

  #judge(entry: ProcessEntry): 'ours' | 'stranger' | 'unclear' | 'vanished' {
    if (this.#members.has(keyOf(entry)) || this.#isInLeadersGroup(entry)) return 'ours';
    if (this.#strangers.has(keyOf(entry))) return 'stranger';
    // Read twice at most: what had no arguments yet at the first look has them at the second, or is still in execve.
    for (let look = 0; look < 2; look++) {
      const environ = readProc(`${entry.pid}/environ`);
      if (!environ) return readProcess(entry.pid) ? 'stranger' : 'vanished';
      if (environ.length > 0) return carriesCookie(environ, this.target.cookie) ? 'ours' : 'stranger';
      const now = readProcess(entry.pid);
      if (!now || now.isZombie) return 'vanished';
      const argv = readProc(`${entry.pid}/cmdline`);
      if (look === 1 && argv && argv.length > 0) return 'stranger';
    }
    return 'unclear';
  }

  #isInLeadersGroup(entry: ProcessEntry): boolean {
    const { leader } = this.target;
    if (!leader || !this.#trustsGroup) return false;
    return entry.group === leader.pid || entry.session === leader.pid;
  }

  #forgetEmptyGroup(found: readonly ProcessEntry[]): void {
    const { leader } = this.target;
    if (!leader || isAlive(leader)) return;
    if (!found.some((entry) => this.#isInLeadersGroup(entry))) this.#trustsGroup = false;
  }
}

function keyOf(entry: ProcessEntry): string {
  return `${entry.pid}:${entry.startTicks}`;
}

function addChildren(entries: readonly ProcessEntry[], marked: Set<number>): void {
  for (let before = -1; before !== marked.size;) {
    before = marked.size;
    for (const entry of entries) if (marked.has(entry.parent)) marked.add(entry.pid);
  }
}

function wholeGroups(entries: readonly ProcessEntry[], marked: ReadonlySet<number>): number[] {
  const groups = new Set<number>();
  for (const entry of entries) if (marked.has(entry.pid) && entry.group > 1) groups.add(entry.group);
  for (const entry of entries) if (!marked.has(entry.pid)) groups.delete(entry.group);
  return [...groups];
}
