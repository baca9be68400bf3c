import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { UserMistake, errorCode, errorText } from '../base/errors.ts';
import { integer, list, object, optional, text } from '../protocol/schema.ts';
import type { Checked } from '../protocol/schema.ts';

/** One builder's seat on this worker, as the disk remembers it. */
const heldSession = object({
  session: text(200),
  fence: integer(1),
  /** Relative to the work folder. */
  directory: text(4_096),
  /** Its builds up to this fence are over, since then (UTC ms). */
  idle: optional(object({ fence: integer(1), atMs: integer() })),
});
export type HeldSession = Checked<typeof heldSession>;

/** More seats than a master can open channels for. */
const MAX_SESSIONS = 10_000;
/** The folder of a session that is known no more. */
const leftFolder = object({ directory: text(4_096), atMs: integer() });
export type LeftFolder = Checked<typeof leftFolder>;

const bookFile = object({
  sessions: list(heldSession, MAX_SESSIONS),
  left: optional(list(leftFolder, MAX_SESSIONS)),
});

/** No build uses the session's folder. */
export function isIdle({ fence, idle }: HeldSession): boolean {
  return idle !== undefined && idle.fence >= fence;
}

/**
 * The sessions of a worker. A change is on disk when its promise resolves; changes that come while one is written are written
 * together, so that a thousand sessions opened at once cost a few writes.
 */
export class SessionBook {
  readonly #path: string;
  readonly #sessions: Map<string, HeldSession>;
  /** By directory. */
  readonly #left: Map<string, LeftFolder>;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** The last write failed: the disk does not say what we know. */
  #isDirty = false;

  private constructor(path: string, sessions: readonly HeldSession[], left: readonly LeftFolder[] = []) {
    this.#path = path;
    this.#left = new Map(left.map((folder) => [folder.directory, folder]));
    this.#sessions = new Map(sessions.map((held) => [held.session, held]));
  }

  /** Rejects with a UserMistake when its file cannot be read, or is damaged. */
  static async open(stateDir: string): Promise<SessionBook> {
    const path = join(stateDir, 'sessions.json');
    let content: string;
    try {
      content = await readFile(path, 'utf8');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return new SessionBook(path, []);
      throw new UserMistake(`${path} cannot be read: ${errorText(error)}`, { cause: error });
    }
    try {
      const { sessions, left } = bookFile(JSON.parse(content), '');
      return new SessionBook(path, sessions, left);
    } catch (error) {
      throw new UserMistake(
        `${path} cannot be used: ${errorText(error)}; remove it and start again: the master names the sessions anew, and what runs goes on`,
        { cause: error },
      );
    }
  }

  get(session: string): HeldSession | undefined {
    return this.#sessions.get(session);
  }

  list(): readonly HeldSession[] {
    return Array.from(this.#sessions.values());
  }

  /** Folders of sessions that are known no more. */
  left(): readonly LeftFolder[] {
    return Array.from(this.#left.values());
  }

  /** Remembers a session. A fence never falls. */
  put(held: HeldSession): Promise<void> {
    const known = this.#sessions.get(held.session);
    if (known && known.fence >= held.fence && known.directory === held.directory && !this.#isDirty) {
      // On disk, or being written.
      return this.#next ?? this.#writing ?? Promise.resolve();
    }
    if (!known && this.#sessions.size >= MAX_SESSIONS) {
      return Promise.reject(new Error(`the worker holds ${MAX_SESSIONS} sessions already`));
    }
    const idle = known?.idle ? { idle: known.idle } : {};
    this.#sessions.set(held.session, { ...idle, ...held, fence: Math.max(held.fence, known?.fence ?? 1) });
    this.#left.delete(held.directory);
    return this.#write();
  }

  /** The builds of the session up to this fence are over. */
  idle(session: string, fence: number, atMs: number): Promise<void> {
    const known = this.#sessions.get(session);
    if (!known || (known.idle && known.idle.fence >= fence)) return this.#next ?? this.#writing ?? Promise.resolve();
    this.#sessions.set(session, { ...known, idle: { fence, atMs } });
    return this.#write();
  }

  /** Forgets a session; its folder stays, and is known as left from now on. */
  remove(session: string, atMs: number): Promise<void> {
    const known = this.#sessions.get(session);
    if (!known) return Promise.resolve();
    this.#sessions.delete(session);
    const { directory } = known;
    this.#left.delete(directory);
    if (this.#left.size < MAX_SESSIONS) this.#left.set(directory, { directory, atMs });
    return this.#write();
  }

  /** The folder is gone. */
  dropLeft(directory: string): Promise<void> {
    return this.#left.delete(directory) ? this.#write() : Promise.resolve();
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await (this.#next ?? this.#writing);
  }

  #write(): Promise<void> {
    if (!this.#writing) {
      const writing = this.#save().finally(() => {
        if (this.#writing === writing) this.#writing = undefined;
      });
      return (this.#writing = writing);
    }
    this.#next ??= this.#writing
      // Its own callers hear of the failure; the next write holds all that was in it.
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#write();
      });
    return this.#next;
  }

  async #save(): Promise<void> {
    this.#isDirty = false;
    try {
      await writeFileAtomic(this.#path, JSON.stringify({ sessions: this.list(), left: this.left() }));
    } catch (error) {
      this.#isDirty = true;
      throw error;
    }
  }
}
