import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { UserMistake, errorCode, errorText } from '../base/errors.ts';
import { ulid } from '../base/ulid.ts';
import type { Fields } from '../protocol/messages.ts';
import { object, optional, text } from '../protocol/schema.ts';
import type { Checked } from '../protocol/schema.ts';

/** A wish to leave, and a term of one build, as the disk remembers them. */
const leavingFile = object({ reason: optional(text(1_000)), term: optional(text(200)) });

/**
 * Whether this worker is to leave: after one build, or because somebody on its machine drains it. It lies in the folder, so that a
 * daemon that is killed goes on leaving at its next start, and a build that was had is not had again; `over` ends it.
 */
export class Leaving {
  readonly #path: string;
  #kept: Checked<typeof leavingFile>;
  /** Not kept: a daemon that is started anew may be of use. */
  #passing: string | undefined;

  private constructor(path: string, kept: Checked<typeof leavingFile>) {
    this.#path = path;
    this.#kept = kept;
  }

  /** `isOnce`: this start is for one build, unless an earlier one that was to have it had not left yet. */
  static async open(stateDir: string, isOnce: boolean, nowMs: number): Promise<Leaving> {
    const path = join(stateDir, 'leaving.json');
    const { reason, term } = await read(path);
    const leaving = new Leaving(path, { ...(reason !== undefined && { reason }) });
    if (isOnce) await leaving.#keep({ ...leaving.#kept, term: term ?? ulid(nowMs) });
    else if (term !== undefined) await leaving.#keep(leaving.#kept);
    return leaving;
  }

  /** What the hello says of it. */
  get hello(): Pick<Fields<'hello'>, 'builds' | 'term'> {
    const { term } = this.#kept;
    return term === undefined ? {} : { builds: 1, term };
  }

  /** Why it wants to leave now; undefined when it does not. */
  get reason(): string | undefined {
    return this.#kept.reason ?? this.#passing;
  }

  /** True when it leaves because it was started to, and not because somebody drains it. */
  get isAsStarted(): boolean {
    return this.#kept.reason === undefined && (this.#kept.term !== undefined || this.#passing !== undefined);
  }

  /** Resolves when it will leave also after a crash. */
  async drain(reason: string): Promise<void> {
    await this.#keep({ ...this.#kept, reason });
  }

  /** Nothing was run for so long. */
  idle(limitMs: number): void {
    this.#passing = `nothing was run there for ${limitMs / 1_000} s`;
  }

  /** It has left: the next start begins anew. */
  async over(): Promise<void> {
    this.#kept = {};
    await rm(this.#path, { force: true });
  }

  async #keep(kept: Checked<typeof leavingFile>): Promise<void> {
    await writeFileAtomic(this.#path, `${JSON.stringify(kept)}\n`, 0o600);
    this.#kept = kept;
  }
}

async function read(path: string): Promise<Checked<typeof leavingFile>> {
  try {
    return leavingFile(JSON.parse(await readFile(path, 'utf8')), '');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return {};
    throw new UserMistake(`${path} cannot be used: ${errorText(error)}; remove it and start again`, { cause: error });
  }
}
