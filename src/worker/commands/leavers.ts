import type { Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import { Signal } from '../../base/signal.ts';
import { sleep } from '../../base/sleep.ts';
import type { Keeper } from '../keeper/keeper.ts';
import type { Commands } from './commands.ts';

/** KILL has a minute to do its work: see the keeper's `endMs`. */
const WAIT_MS = 75_000;
/** So many are named. */
const MOST_NAMED = 10;

export interface LeaversOptions {
  readonly commands: Commands;
  readonly keeper: Keeper;
  readonly clock: Clock;
  readonly waitMs?: number;
}

/** Where a command is to run, and for which owner of the session. */
export interface Place {
  readonly session: string;
  readonly fence: number;
  /** Absolute. */
  readonly folder: string;
}

interface Leaver {
  /** As the message said; not known of what an inventory was answered. */
  readonly session: string | undefined;
  /** Only in the way of owners after this one. */
  readonly fence: number | undefined;
  readonly done: Promise<void>;
  isDone: boolean;
}

/** What keeps a place from being free. */
interface Obstacle {
  readonly command: string;
  readonly leaver: Leaver;
  /** Its order was not carried out yet when it was looked for. */
  readonly isLeaving: boolean;
}

/**
 * What was given up and may still be at work: commands that were forgotten, and changes of folders that an earlier owner asked
 * for. Until they are gone nothing new begins where they are, so that a build and the one before it never work in one folder
 * at the same time.
 */
export class Leavers {
  readonly #options: LeaversOptions;
  readonly #leavers = new Map<string, Leaver>();
  readonly #added = new Signal<string>();

  constructor(options: LeaversOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#leavers.size;
  }

  /** The order to forget it has come; `done` when it is carried out, or has failed. */
  forgotten(command: string, session: string | undefined, done: Promise<void>): void {
    this.#add(command, session, undefined, done);
  }

  /** A change of a folder, which nobody can end. */
  changes(command: string, { session, fence }: Omit<Place, 'folder'>, done: Promise<void>): void {
    this.#add(command, session, fence, done);
  }

  /** Its forget has come and waits for its turn: nothing of it is to begin any more. */
  isLeaving(command: string): boolean {
    return this.#leavers.get(command)?.isDone === false;
  }

  /**
   * Resolves when the place is free; to what is still there and what to do, for people, when it has not become so in time. Also
   * when the command that is to begin there is forgotten itself: its forget waits for this, and so may those of others.
   */
  async leftAt(place: Place, command: string): Promise<string | undefined> {
    const { clock, waitMs = WAIT_MS } = this.#options;
    const end = new AbortController();
    const bound = sleep(clock, waitMs, end.signal).then(() => end.abort());
    const forgotten = deferred();
    const cancel = this.#added.on((added) => {
      if (added === command) forgotten.resolve();
    });
    try {
      for (;;) {
        if (this.isLeaving(command)) return undefined;
        const there = await this.#listAt(place);
        if (there.length === 0) return undefined;
        const coming = there.filter(({ isLeaving }) => isLeaving);
        if (coming.length === 0 || end.signal.aborted) return this.#explain(there, place);
        await Promise.race([Promise.all(coming.map(({ leaver }) => leaver.done)), bound, forgotten.promise]);
      }
    } finally {
      cancel();
      end.abort();
    }
  }

  #add(command: string, session: string | undefined, fence: number | undefined, done: Promise<void>): void {
    const leaver: Leaver = { session, fence, done, isDone: false };
    this.#leavers.set(command, leaver);
    void done.then(() => (leaver.isDone = true));
    this.#added.emit(command);
  }

  async #listAt(place: Place): Promise<Obstacle[]> {
    const found: Obstacle[] = [];
    for (const [command, leaver] of this.#leavers) {
      // Before it is looked for: one that leaves meanwhile is looked for once more, and not taken for one that stays.
      const isLeaving = !leaver.isDone;
      const held = await this.#options.commands.find(command);
      const isGone = held ? held.state === 'finished' && this.#options.keeper.pidsOf(command).length === 0 : !isLeaving;
      // An order that failed may have left something alive: it is in the way until the master forgets it once more.
      if (isGone && !isLeaving && this.#leavers.get(command) === leaver) this.#leavers.delete(command);
      if (!isGone && this.#isAt(place, command, leaver, held?.session)) found.push({ command, leaver, isLeaving });
    }
    return found;
  }

  #isAt(place: Place, command: string, leaver: Leaver, heldSession: string | undefined): boolean {
    if (leaver.fence !== undefined && leaver.fence >= place.fence) return false;
    const isSession = leaver.session === place.session || heldSession === place.session;
    return isSession || this.#options.keeper.folderOf(command) === place.folder;
  }

  #explain(left: readonly Obstacle[], { folder }: Place): string {
    const pids = left.flatMap(({ command }) => this.#options.keeper.pidsOf(command));
    const names = left
      .slice(0, MOST_NAMED)
      .map(({ command }) => command)
      .join(', ');
    const named = pids.length === 0 ? '' : ` (processes ${pids.slice(0, MOST_NAMED).join(', ')})`;
    return `what an earlier build ran in ${folder} has not ended: ${names}${named}; see what holds it up there, then try again`;
  }
}
