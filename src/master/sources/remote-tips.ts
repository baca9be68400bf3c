import { SourceError } from './source-error.ts';
import { Splitter } from './split-stream.ts';

/** What a repository says that it has. */
export interface RemoteTips {
  /** The branch that `HEAD` stands for, as a ref. */
  readonly head: string | undefined;
  /** Commits of branches and tags, by ref: `refs/heads/main`. */
  readonly tips: ReadonlyMap<string, string>;
}

const NEW_LINE = 10;
const LINE_BYTES = 4_096;
/** The largest repositories known have some hundred thousand. */
const REFS_MAX = 500_000;
const LINE = /^([0-9a-f]{40}|[0-9a-f]{64})\t(.+)$/;
const SYMBOLIC = /^ref: (refs\/heads\/.+)\tHEAD$/;
/** The commit that an annotated tag stands for comes after the tag itself, under its name with this. */
const PEELED = '^{}';

/** Reads what `git ls-remote --symref` prints, as it comes. */
export class RemoteTipsReader {
  readonly #splitter = new Splitter(NEW_LINE, LINE_BYTES, (line) => this.#read(line));
  readonly #tips = new Map<string, string>();
  #head: string | undefined;

  add(bytes: Buffer): void {
    this.#splitter.add(bytes);
  }

  end(): RemoteTips {
    this.#splitter.end();
    return { head: this.#head, tips: this.#tips };
  }

  #read(line: string): void {
    const symbolic = SYMBOLIC.exec(line);
    if (symbolic) this.#head = symbolic[1];
    const [, revision, name] = LINE.exec(line) ?? [];
    if (revision === undefined || name === undefined || !/^refs\/(heads|tags)\//.test(name)) return;
    this.#tips.set(name.endsWith(PEELED) ? name.slice(0, -PEELED.length) : name, revision);
    if (this.#tips.size > REFS_MAX) throw new SourceError('large', `it has more than ${REFS_MAX} branches and tags`);
  }
}
