import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { UserMistake, errorCode, errorText } from '../base/errors.ts';
import { integer, list, object, text } from '../protocol/schema.ts';
import type { Checked } from '../protocol/schema.ts';

/** One builder's seat on this worker, as the disk remembers it. */
const heldSession = object({
  session: text(200),
  fence: integer(1),
  /** Relative to the work folder. */
  directory: text(4_096),
});
export type HeldSession = Checked<typeof heldSession>;

/** More seats than a master can open channels for. */
const MAX_SESSIONS = 10_000;
const bookFile = object({ sessions: list(heldSession, MAX_SESSIONS) });

/**
 * The sessions of a worker. A change is on disk when its promise resolves; changes that come while one is written are written
 * together, so that a thousand sessions opened at once cost a few writes.
 */
export class SessionBook {
  readonly #path: string;
  readonly #sessions: Map<string, HeldSession>;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** The last write failed: the disk does not say what we know. */
  #isDirty = false;

  private constructor(path: string, sessions: readonly HeldSession[]) {
    this.#path = path;
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
      return new SessionBook(path, bookFile(JSON.parse(content), '').sessions);
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
    this.#sessions.set(held.session, { ...held, fence: Math.max(held.fence, known?.fence ?? 1) });
    return this.#write();
  }

  remove(session: string): Promise<void> {
    return this.#sessions.delete(session) ? this.#write() : Promise.resolve();
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
      await writeFileAtomic(this.#path, JSON.stringify({ sessions: this.list() }));
    } catch (error) {
      this.#isDirty = true;
      throw error;
    }
  }
}
