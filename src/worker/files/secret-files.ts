import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { UserMistake, errorCode, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { integer, list, object, optional, text } from '../../protocol/schema.ts';
import type { Checked } from '../../protocol/schema.ts';
import { PathRefused, insideFolder } from '../inside-folder.ts';

/** Of one session; a build that makes more is told so. */
const MOST_FILES = 1_000;
const MOST_SESSIONS = 10_000;

const heldFiles = object({
  session: text(200),
  /** They are this one's. */
  build: optional(integer()),
  /** Relative to the work folder. */
  directory: text(4_096),
  /** Relative to the directory. */
  paths: list(text(4_096), MOST_FILES),
});
type HeldFiles = Checked<typeof heldFiles>;

const bookFile = object({ sessions: list(heldFiles, MOST_SESSIONS) });

/**
 * The files with secrets that masters had made in the folders of sessions: each is removed when the build that was given it is
 * over, whatever was killed meanwhile. A file is in this book, on disk, before it is made.
 */
export class SecretFiles {
  readonly #path: string;
  readonly #workDir: string;
  readonly #logger: Logger;
  readonly #held: Map<string, HeldFiles>;
  /** Which build sits where, as far as this daemon was told. */
  readonly #builds = new Map<string, number>();
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, workDir: string, logger: Logger, held: readonly HeldFiles[]) {
    this.#path = path;
    this.#workDir = workDir;
    this.#logger = logger;
    this.#held = new Map(held.map((one) => [one.session, one]));
  }

  /** Rejects with a UserMistake when its file cannot be read, or is damaged. */
  static async open(stateDir: string, workDir: string, logger: Logger): Promise<SecretFiles> {
    const path = join(stateDir, 'secret-files.json');
    try {
      const { sessions } = bookFile(JSON.parse(await readFile(path, 'utf8')), '');
      return new SecretFiles(path, workDir, logger, sessions);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return new SecretFiles(path, workDir, logger, []);
      throw new UserMistake(
        `${path} cannot be used: ${errorText(error)}; look for files with secrets under ${workDir}, then remove it and start again`,
        { cause: error },
      );
    }
  }

  /** A build sits there now: what another one was given is removed. */
  async opened(session: string, build: number | undefined): Promise<void> {
    if (build === undefined) return;
    this.#builds.set(session, build);
    if (this.#held.get(session)?.build !== build) await this.remove(session);
  }

  /** A file is about to be made. Rejects when that cannot be noted. */
  async note(session: string, directory: string, path: string): Promise<void> {
    const known = this.#held.get(session);
    if (known?.paths.includes(path)) return;
    const paths = [...(known?.paths ?? []), path];
    if (paths.length > MOST_FILES) throw new PathRefused(`a build may have ${MOST_FILES} files with secrets`);
    const build = this.#builds.get(session);
    this.#held.set(session, { session, directory, paths, ...(build !== undefined && { build }) });
    await this.#save();
  }

  /** The build there is over. What cannot be removed now is tried again the next time. */
  async remove(session: string): Promise<void> {
    const held = this.#held.get(session);
    if (!held) return;
    const left: string[] = [];
    for (const path of held.paths) {
      try {
        await this.#removeFile(held.directory, path);
      } catch (error) {
        left.push(path);
        this.#logger.warn(`the file of a secret could not be removed: ${errorText(error)}`, { session, path });
      }
    }
    if (left.length > 0) this.#held.set(session, { ...held, paths: left });
    else this.#held.delete(session);
    await this.#save();
  }

  async #removeFile(directory: string, path: string): Promise<void> {
    try {
      const folder = await insideFolder(this.#workDir, directory);
      await rm(await insideFolder(folder, path, { keepLink: true }), { force: true });
    } catch (error) {
      // The way there leads elsewhere by now, or a folder is in its place: the file itself is gone.
      if (error instanceof PathRefused || errorCode(error) === 'ERR_FS_EISDIR' || errorCode(error) === 'ENOENT') return;
      throw error;
    }
  }

  #save(): Promise<void> {
    const saved = this.#saving.then(() =>
      writeFileAtomic(this.#path, JSON.stringify({ sessions: [...this.#held.values()] }), 0o600),
    );
    this.#saving = saved.catch(() => undefined); // Told to this caller, not to the next one in line.
    return saved;
  }
}
