import { membersOf } from './cgroup.ts';
import { carriesCookie } from './cookie.ts';
import { isAlive, listPids, readProc, readProcess, holdsPipe } from './process-table.ts';
import type { ProcessEntry, ProcessIdentity } from './process-table.ts';

/** How to know the processes of a command. */
export interface TreeTarget {
  readonly cookie: string;
  /** The main process, when it leads its session still or has ended just now. */
  readonly leader?: ProcessIdentity;
  /** The name of the pipe that its output goes to, and when its main process started: nothing of it is older. */
  readonly pipe?: { readonly name: string; readonly sinceTicks: number };
  /** All in it are the command's, and nobody else's. */
  readonly cgroup?: string;
}

export interface Look {
  /** Processes of the command that live, also stopped ones. */
  readonly found: readonly ProcessEntry[];
  /**
   * Nobody can have been overlooked: no process was in the middle of execve, when its environment reads empty, and none
   * ended between the listing and the look at it, when it may have been one of ours and have left a child.
   */
  readonly isSure: boolean;
}

/** Pids come round again, but not so fast. */
const STRANGERS_MS = 500;
const NOBODY: ReadonlySet<number> = new Set();

/**
 * Finds the processes of a command, again and again: those in its cgroup, if it has one; those with its cookie in their
 * environment, those in a session of one of these, and the children of one of these (both may have been given an empty
 * environment); and those that have its pipe open, whatever else they have shed.
 *
 * Why a sure look that finds nobody is true of a tree that forks as fast as it can: the listing goes by ascending pid, and
 * a child has a higher one than its parent, so of every line of descent the member that lives when its turn comes is
 * listed; it is then either met, or gone, and then the look is not sure. (A pid that starts again from the bottom just then
 * could slip through: so callers look more than once.) Old strangers are passed over, so a look at what is new takes well
 * under a millisecond, less than a process needs to start and to fork.
 */
export class TreeScan {
  readonly target: TreeTarget;
  /** Once found, always ours, also when its parent has died and it carries no cookie. */
  readonly #members = new Set<string>();
  /** Sessions that a member was seen in: only the command can have made them. */
  readonly #sessions = new Set<number>();
  /** Known by the pipe alone, or children of such a one. Somebody else's daemon may have handed it on: its session is not ours. */
  readonly #guests = new Set<string>();
  /** Seen to be none of ours: a process does not become one. */
  readonly #strangers = new Set<number>();
  #strangersAtMs = -Infinity;
  readonly #zombies = new Set<string>();

  constructor(target: TreeTarget) {
    this.target = target;
    if (target.leader) this.#sessions.add(target.leader.pid);
  }

  /** `onSight` is called at once for each that was found by itself: what forks fast may be gone when the look is over. */
  look(onSight: (entry: ProcessEntry) => void = () => undefined): Look {
    this.#forgetOldStrangers();
    const found: ProcessEntry[] = [];
    const others: ProcessEntry[] = [];
    let isSure = true;
    const take = (entry: ProcessEntry, isGuest = this.#guests.has(keyOf(entry))): void => {
      found.push(entry);
      this.#members.add(keyOf(entry));
      if (isGuest && entry.session !== entry.pid) this.#guests.add(keyOf(entry));
      else if (entry.session > 1) this.#sessions.add(entry.session);
      onSight(entry);
    };
    const members = this.target.cgroup === undefined ? NOBODY : membersOf(this.target.cgroup);
    for (const pid of listPids()) {
      if (this.#strangers.has(pid)) continue;
      const entry = readProcess(pid);
      if (entry?.isKernelThread || pid === process.pid) {
        this.#strangers.add(pid);
        continue;
      }
      if (!entry || entry.isZombie) {
        if (!entry || this.#isNewZombie(entry)) isSure = false;
        continue;
      }
      const kind = members.has(pid) ? 'ours' : this.#judge(entry);
      if (kind === 'ours') take(entry);
      else if (kind === 'guest') take(entry, true);
      else if (kind === 'other') others.push(entry);
      else isSure = false;
    }
    this.#takeRelatives(others, found, take);
    this.#forgetEmptySession(found);
    return { found, isSure };
  }

  /** Whether all of its session is the command's, and so of its group. */
  ownsSession(entry: ProcessEntry): boolean {
    return entry.session > 1 && this.#sessions.has(entry.session);
  }

  #judge(entry: ProcessEntry): 'ours' | 'guest' | 'other' | 'unclear' {
    if (this.#members.has(keyOf(entry)) || this.#sessions.has(entry.session)) return 'ours';
    // Read twice at most: what had no arguments yet at the first look has them at the second, or is still in execve.
    for (let look = 0; look < 2; look++) {
      const environ = readProc(`${entry.pid}/environ`);
      const now = environ?.length ? entry : readProcess(entry.pid);
      if (!now || now.isZombie) return 'unclear';
      if (!environ) return 'other';
      if (environ.length > 0) {
        return carriesCookie(environ, this.target.cookie) ? 'ours' : this.#guestOrOther(entry);
      }
      const argv = readProc(`${entry.pid}/cmdline`);
      if (look === 1 && argv && argv.length > 0) return this.#guestOrOther(entry);
    }
    return 'unclear';
  }

  /** An older one that was handed the pipe serves others as well: a tmux server, say. */
  #guestOrOther({ pid, startTicks }: ProcessEntry): 'guest' | 'other' {
    const { pipe } = this.target;
    return pipe && startTicks >= pipe.sinceTicks && holdsPipe(pid, pipe.name) ? 'guest' : 'other';
  }

  /** Those without the cookie whose parent or session is ours; the rest are strangers from now on. */
  #takeRelatives(
    others: readonly ProcessEntry[],
    found: readonly ProcessEntry[],
    take: (entry: ProcessEntry, isGuest: boolean) => void,
  ): void {
    const kin = new Map(found.map((entry) => [entry.pid, this.#guests.has(keyOf(entry))]));
    let rest = others;
    for (let before = -1; before !== kin.size;) {
      before = kin.size;
      rest = rest.filter((entry) => {
        const isInSession = this.#sessions.has(entry.session);
        const isOfGuest = kin.get(entry.parent);
        if (isOfGuest === undefined && !isInSession) return true;
        take(entry, !isInSession && isOfGuest === true);
        kin.set(entry.pid, this.#guests.has(keyOf(entry)));
        return false;
      });
    }
    for (const entry of rest) this.#strangers.add(entry.pid);
  }

  /** One that was a zombie before has left no child since. */
  #isNewZombie(entry: ProcessEntry): boolean {
    const key = keyOf(entry);
    if (this.#zombies.has(key)) return false;
    this.#zombies.add(key);
    return true;
  }

  #forgetOldStrangers(): void {
    const now = performance.now();
    if (now - this.#strangersAtMs < STRANGERS_MS) return;
    this.#strangersAtMs = now;
    this.#strangers.clear();
    // A zombie that is still one costs a second look.
    this.#zombies.clear();
  }

  /** A session's number may be given to others when nobody is left in it and its leader is gone. */
  #forgetEmptySession(found: readonly ProcessEntry[]): void {
    const used = new Set(found.map((entry) => entry.session));
    const { leader } = this.target;
    if (leader && isAlive(leader)) used.add(leader.pid);
    for (const session of this.#sessions) if (!used.has(session)) this.#sessions.delete(session);
  }
}

function keyOf(entry: ProcessEntry): string {
  return `${entry.pid}:${entry.startTicks}`;
}
