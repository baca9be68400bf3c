import { mkdir } from 'node:fs/promises';
import { runOk } from './run.ts';

export interface NewCommit {
  readonly message?: string;
  /** `NAME <ADDRESS>` */
  readonly author?: string;
  /** Each is new, or changed. */
  readonly files?: readonly string[];
  /** Instead of the branch's tip; null: it has no parent. */
  readonly from?: string | null | undefined;
  readonly merges?: string;
}

/** A bare repository whose commits are made without a work tree, so that a name of a file or an author may be anything. */
export class BareRepository {
  readonly dir: string;
  #count = 0;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async make(dir: string): Promise<BareRepository> {
    await mkdir(dir, { recursive: true });
    const repository = new BareRepository(dir);
    await repository.git('init', '-q', '--bare', '-b', 'main');
    return repository;
  }

  git(...args: readonly string[]): Promise<string> {
    return runOk('git', args, { cwd: this.dir });
  }

  /** Puts a commit on a branch; resolves to its hash. */
  async commit(branch: string, commit: NewCommit = {}): Promise<string> {
    const n = ++this.#count;
    const { message = `commit ${n}`, author = 'Anna <anna@example.org>', files = [`file-${n}`], merges } = commit;
    const from = commit.from === undefined ? await this.tip(branch) : (commit.from ?? undefined);
    const who = (noun: string): string => `${noun} ${author} ${1_700_000_000 + n} +0000`;
    const text = [
      `commit refs/heads/${branch}`,
      'mark :1',
      who('author'),
      who('committer'),
      `data ${Buffer.byteLength(message)}`,
      message,
      ...(from === undefined ? [] : [`from ${from}`]),
      ...(merges === undefined ? [] : [`merge ${merges}`]),
      ...files.flatMap((name) => [`M 100644 inline ${quoted(name)}`, `data ${String(n).length}`, String(n)]),
      'get-mark :1',
      'done',
      '',
    ];
    return await runOk('git', ['fast-import', '--quiet', '--force', '--done'], {
      cwd: this.dir,
      input: text.join('\n'),
    });
  }

  /** Undefined: there is no such branch. */
  async tip(branch: string): Promise<string | undefined> {
    const found = await this.git('for-each-ref', '--format=%(objectname)', `refs/heads/${branch}`);
    return found === '' ? undefined : found;
  }

  /** Sets a ref; undefined: removes it. */
  async set(ref: string, revision: string | undefined): Promise<void> {
    await (revision === undefined ? this.git('update-ref', '-d', ref) : this.git('update-ref', ref, revision));
  }
}

/** As fast-import reads it. */
function quoted(name: string): string {
  const escaped = name
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`);
  return `"${escaped}"`;
}
