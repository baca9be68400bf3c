import { Splitter } from './split-stream.ts';

/** A commit as git tells of it; its texts are anybody's. */
export interface Commit {
  readonly revision: string;
  readonly author: string;
  readonly committer: string;
  readonly comments: string;
  /** Those that differ from its first parent; at most `FILES_KEPT`. */
  readonly files: readonly string[];
  readonly filesLeftOut: number;
}

const NUL = 0;
/** Of a message; a name of a file is never as long. */
const TOKEN_BYTES = 64 * 1024;
const FILES_KEPT = 1_000;
const REVISION = /^[0-9a-f]{40,64}$/;

/** To be given to `git log -z`: fields that end with NUL, and an empty one before each commit, which no name of a file is. */
export const COMMIT_FORMAT = '--format=%x00%H%x00%an <%ae>%x00%cn <%ce>%x00%B%x00';

interface Reading {
  revision: string;
  author?: string;
  committer?: string;
  comments?: string;
  /** The field between the message and the files has been read. */
  isOpen?: boolean;
  files: string[];
  filesLeftOut: number;
}

/** Reads what `git log -z --name-only` prints with `COMMIT_FORMAT`, as it comes. */
export class CommitReader {
  readonly #splitter = new Splitter(NUL, TOKEN_BYTES, (token) => this.#read(token));
  readonly #commits: Commit[] = [];
  #reading: Reading | undefined;

  add(bytes: Buffer): void {
    this.#splitter.add(bytes);
  }

  end(): readonly Commit[] {
    this.#splitter.end();
    this.#close();
    return this.#commits;
  }

  #read(token: string): void {
    const at = this.#reading;
    if (!at) {
      if (REVISION.test(token)) this.#reading = { revision: token, files: [], filesLeftOut: 0 };
    } else if (at.author === undefined) at.author = token;
    else if (at.committer === undefined) at.committer = token;
    else if (at.comments === undefined) at.comments = token;
    else if (!at.isOpen) at.isOpen = true;
    else if (token === '') this.#close();
    else if (at.files.length >= FILES_KEPT) at.filesLeftOut++;
    // Git begins the list on a new line.
    else at.files.push(at.files.length === 0 && token.startsWith('\n') ? token.slice(1) : token);
  }

  #close(): void {
    const at = this.#reading;
    this.#reading = undefined;
    if (!at) return;
    const { revision, author = '', committer = '', comments = '', files, filesLeftOut } = at;
    this.#commits.push({ revision, author, committer, comments, files, filesLeftOut });
  }
}
