import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../../base/errors.ts';
import { findCgroupBase, removeCgroup } from './cgroup.ts';
import { Gate } from '../../base/gate.ts';
import { bootId, identityOf, isAlive } from './process-table.ts';

const KEEPER_GROUP = /^trunkline-(\d+)-(\d+)$/;
/** What the claims of commands name. */
export const COMMAND_GROUP = /\/trunkline-\d+-\d+\/\d+$/;

/** The cgroup of a command that was started. */
export interface CommandGroup {
  readonly path: string;
  /** False: the keeper could not leave it, so it must not be killed as a whole. */
  readonly isLeft: Promise<boolean>;
}

/**
 * A cgroup for each command of this keeper. Node cannot start a process in another cgroup than its own, and one that is moved
 * afterwards may have forked before. So the keeper itself sits in the cgroup of the command that it will start next, and moves
 * on when that is started: to move costs about 12 ms on a quiet machine, in which nobody waits, as the kernel does it on a
 * thread of the pool. Without the right to make cgroups, or when anything of it fails, commands are started without.
 */
export class CommandGroups {
  readonly #base: string;
  readonly #dir: string;
  readonly #warn: (message: string) => void;
  /** The keeper is one process: it moves, and starts, one at a time. */
  readonly #turn = new Gate(1);
  /** Of commands that have ended: removed when nobody is left in them. */
  readonly #ended = new Set<string>();
  #last = 0;
  /** Where the keeper sits. */
  #seat: { readonly path: string; isTaken: boolean } | undefined;
  #isBroken = false;

  private constructor(base: string, warn: (message: string) => void) {
    const { pid, startTicks } = identityOf(process.pid);
    this.#base = base;
    this.#dir = join(base, `trunkline-${pid}-${startTicks}`);
    this.#warn = warn;
  }

  /** Undefined where cgroups are not ours to make. Removes what dead keepers left. */
  static async open(warn: (message: string) => void): Promise<CommandGroups | undefined> {
    const found = findCgroupBase();
    if (!('base' in found)) return undefined;
    const groups = new CommandGroups(found.base, warn);
    await groups.#try(async () => {
      sweepDead(found.base);
      mkdirSync(groups.#dir);
      await groups.#moveTo(groups.#newPath(), false);
    });
    return groups;
  }

  /** The name of a command's cgroup, for its claim; given back if it is not claimed. */
  take(): string | undefined {
    if (this.#isBroken) return undefined;
    if (!this.#seat || this.#seat.isTaken) return this.#newPath();
    this.#seat.isTaken = true;
    return this.#seat.path;
  }

  giveBack(path: string): void {
    if (this.#seat?.path === path) this.#seat.isTaken = false;
  }

  /** `spawn` starts the process before it first waits. */
  async start<T>(
    path: string,
    spawn: () => Promise<T>,
  ): Promise<{ readonly spawned: T; readonly group: CommandGroup }> {
    return await this.#turn.pass(async () => {
      const isIn = this.#seat?.path === path || (await this.#try(() => this.#moveTo(path, true)));
      const spawning = spawn();
      const isLeft = isIn ? this.#turn.pass(() => this.#leave(path)) : Promise.resolve(false);
      return { spawned: await spawning, group: { path, isLeft } };
    });
  }

  /** Runs what starts processes that are no command's: none is started meanwhile. */
  aside<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn.pass(work);
  }

  /** Its command has ended; who is left there may stay. */
  release(path: string): void {
    this.#ended.add(path);
    this.sweep();
  }

  /** To be called now and then. */
  sweep(): void {
    for (const path of this.#ended) {
      if (path !== this.#seat?.path && removeCgroup(path)) this.#ended.delete(path);
    }
  }

  /** The keeper leaves for where it came from, so that its own cgroups can be removed. */
  close(): void {
    try {
      if (this.#seat) writeFileSync(join(this.#base, 'cgroup.procs'), String(process.pid), { flag: 'r+' });
      removeCgroup(this.#dir);
    } catch (error) {
      // The next keeper removes them.
      this.#warn(`the cgroups could not be removed: ${errorText(error)}`);
    }
  }

  #newPath(): string {
    return join(this.#dir, String(++this.#last));
  }

  async #leave(path: string): Promise<boolean> {
    // For another start meanwhile.
    if (this.#seat?.path !== path) return true;
    return await this.#try(() => this.#moveTo(this.#newPath(), false));
  }

  async #moveTo(path: string, isTaken: boolean): Promise<void> {
    mkdirSync(path, { recursive: true });
    await writeFile(join(path, 'cgroup.procs'), String(process.pid), { flag: 'r+' });
    const before = this.#seat;
    this.#seat = { path, isTaken };
    if (before && !before.isTaken) removeCgroup(before.path);
  }

  async #try(deed: () => Promise<void>): Promise<boolean> {
    try {
      await deed();
      return true;
    } catch (error) {
      if (!this.#isBroken) this.#warn(`commands are started without cgroups from now on: ${errorText(error)}`);
      this.#isBroken = true;
      return false;
    }
  }
}

function sweepDead(base: string): void {
  for (const name of readdirSync(base)) {
    const [, pid, startTicks] = KEEPER_GROUP.exec(name) ?? [];
    if (pid === undefined) continue;
    if (!isAlive({ pid: Number(pid), startTicks: Number(startTicks), bootId: bootId() }))
      removeCgroup(join(base, name));
  }
}
