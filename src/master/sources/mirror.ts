import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cancel, Clock } from '../../base/clock.ts';
import { aboutSize, showSize } from '../../base/size.ts';
import { errorCode } from '../../base/errors.ts';
import { COMMIT_FORMAT, CommitReader } from './commit-reader.ts';
import type { Commit } from './commit-reader.ts';
import type { GitAccess } from './git-access.ts';
import { RemoteTipsReader } from './remote-tips.ts';
import type { RemoteTips } from './remote-tips.ts';
import type { GitRun, GitRunner } from './run-git.ts';
import { SourceError } from './source-error.ts';

export interface MirrorOptions {
  readonly git: GitRunner;
  readonly clock: Clock;
  readonly url: string;
  readonly folder: string;
  readonly access: GitAccess;
  readonly limitBytes: number;
  /** Ends what git does, with its reason. */
  readonly signal: AbortSignal;
}

const ASK_LIMIT_MS = 60_000;
const FETCH_LIMIT_MS = 30 * 60_000;
const LOCAL_LIMIT_MS = 5 * 60_000;
const WEIGH_EVERY_MS = 2_000;
/** Commits of one branch that one poll tells of: of more, the newest. */
export const COMMITS_AT_ONCE = 100;
/** Of more refs than this all of their kind are fetched. */
const NAMED_AT_ONCE = 200;
/** What git leaves behind when it is killed; nobody else works in a mirror. */
const LEFTOVER = /(^|\/)(tmp_[^/]*|[^/]+\.lock)$/;
/** Git says of each of its programs how it is to print; a person's settings must not change that. */
const LOG = ['log', '-z', '--name-only', '--no-renames', '--diff-merges=first-parent', '--no-show-signature'];

/** The master's own copy of a repository: a bare one, which holds the branches and tags that are polled. */
export class Mirror {
  readonly #options: MirrorOptions;
  #bytes: number | undefined;

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /** Asks the repository what it has, without fetching anything. */
  async remoteTips(isWithTags: boolean): Promise<RemoteTips> {
    const { url } = this.#options;
    const reader = new RemoteTipsReader();
    const patterns = ['HEAD', 'refs/heads/*', ...(isWithTags ? ['refs/tags/*'] : [])];
    await this.#git(['ls-remote', '--symref', '--', url, ...patterns], {
      limitMs: ASK_LIMIT_MS,
      onOutput: (bytes) => reader.add(bytes),
    });
    return reader.end();
  }

  /** The branches and tags that the mirror has, by ref. */
  async tips(): Promise<ReadonlyMap<string, string>> {
    if (!(await this.#isThere())) return new Map();
    const reader = new RemoteTipsReader();
    // As ls-remote prints them: a tag, and then what it stands for.
    const format = '--format=%(objectname)%09%(refname)%0a%(*objectname)%09%(refname)';
    await this.#local(['for-each-ref', format], { onOutput: (bytes) => reader.add(bytes) });
    return reader.end().tips;
  }

  /** Brings these refs, and takes those away that the repository has no more. Rejects with `large` when it grows over its limit. */
  async fetch(refs: readonly string[], gone: readonly string[]): Promise<void> {
    const { folder, url, limitBytes } = this.#options;
    await this.#prepare();
    try {
      if (gone.length > 0) {
        const input = gone.map((ref) => `delete ${ref}\0\0`).join('');
        await this.#inside(['update-ref', '-z', '--stdin'], { input });
      }
      const words = ['fetch', '--quiet', '--force', '--no-tags', '--no-write-fetch-head', '--stdin', '--', url];
      const input = specsOf(refs).join('');
      await this.#whileSmall((signal) => this.#inside(words, { input, limitMs: FETCH_LIMIT_MS, signals: [signal] }));
      await this.#inside(['pack-refs', '--all']);
    } catch (error) {
      await this.#removeLeftovers();
      // It may be the repository's fault as well as the mirror's.
      if (error instanceof SourceError && error.code === 'git') await this.#local(['fsck', '--connectivity-only']);
      throw error;
    } finally {
      this.#bytes = await this.#weigh();
    }
    if (this.#bytes <= limitBytes) return;
    await rm(folder, { recursive: true, force: true });
    throw tooLarge(this.#bytes, limitBytes);
  }

  async has(revision: string): Promise<boolean> {
    try {
      await this.#inside(['cat-file', '-e', `${revision}^{commit}`]);
      return true;
    } catch (error) {
      if (error instanceof SourceError && error.code === 'git') return false;
      throw error;
    }
  }

  /** The newest `COMMITS_AT_ONCE` of what `tip` has and `without` have not, oldest first, and how many there are more. */
  async commits(
    tip: string,
    without: readonly string[],
  ): Promise<{ readonly commits: readonly Commit[]; readonly leftOut: number }> {
    const input = [tip, ...without.map((one) => `^${one}`), ''].join('\n');
    const range = ['--ignore-missing', '--stdin'];
    const commits = await this.#log(['--reverse', `--max-count=${COMMITS_AT_ONCE}`, ...range], input);
    if (commits.length < COMMITS_AT_ONCE) return { commits, leftOut: 0 };
    let counted = '';
    await this.#local(['rev-list', '--count', ...range], {
      input,
      onOutput: (bytes) => (counted += bytes.toString()),
    });
    return { commits, leftOut: Number(counted) - commits.length };
  }

  /** One commit; rejects when the mirror has it not. */
  async commit(revision: string): Promise<Commit> {
    const [commit] = await this.#log(['--max-count=1', '--stdin'], `${revision}\n`);
    if (!commit) throw new SourceError('git', `it has no commit ${revision}`);
    return commit;
  }

  /** What it takes on disk, if that may be another than before this poll. */
  get bytes(): number | undefined {
    return this.#bytes;
  }

  /** Ends the work when the mirror grows over its limit meanwhile. */
  async #whileSmall(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { clock, limitBytes } = this.#options;
    const grown = new AbortController();
    let cancel: Cancel | undefined;
    let isOver = false;
    const weighSoon = (): void => {
      cancel = clock.after(WEIGH_EVERY_MS, () => {
        this.#weigh().then(
          (bytes) => {
            if (bytes > limitBytes) grown.abort(tooLarge(bytes, limitBytes));
            else if (!isOver) weighSoon();
          },
          (error: unknown) => grown.abort(error),
        );
      });
    };
    weighSoon();
    try {
      await work(grown.signal);
    } finally {
      isOver = true;
      cancel?.();
    }
  }

  async #weigh(): Promise<number> {
    let bytes = 0;
    for (const path of await this.#files()) {
      bytes += await stat(join(this.#options.folder, path)).then(
        ({ size }) => size,
        (error: unknown) => unlessGone(error, 0),
      );
    }
    return bytes;
  }

  async #log(words: readonly string[], input: string): Promise<readonly Commit[]> {
    const reader = new CommitReader();
    await this.#local([...LOG, '--no-color', '--encoding=UTF-8', COMMIT_FORMAT, ...words], {
      input,
      onOutput: (bytes) => reader.add(bytes),
    });
    return reader.end();
  }

  /** What a killed git left. */
  async #removeLeftovers(): Promise<void> {
    const leftovers = (await this.#files()).filter((path) => LEFTOVER.test(path));
    await Promise.all(leftovers.map((path) => rm(join(this.#options.folder, path), { recursive: true, force: true })));
  }

  /** Makes it when it is not there: whole or not at all. */
  async #prepare(): Promise<void> {
    const { folder } = this.#options;
    if (await this.#isThere()) return await this.#removeLeftovers();
    const made = `${folder}.new`;
    await rm(made, { recursive: true, force: true });
    await mkdir(made, { recursive: true, mode: 0o700 });
    await this.#git(['init', '--bare', '--quiet', '--template=', '--', made], { limitMs: LOCAL_LIMIT_MS });
    await rename(made, folder);
  }

  async #isThere(): Promise<boolean> {
    return await stat(this.#options.folder).then(
      () => true,
      (error: unknown) => unlessGone(error, false),
    );
  }

  async #files(): Promise<readonly string[]> {
    const options = { recursive: true } as const;
    return await readdir(this.#options.folder, options).catch((error: unknown) => unlessGone(error, []));
  }

  /**
   * What goes wrong without a server goes wrong for ever: files that a disk lost with its power, or somebody removed. The mirror is a copy
   * and no more, so it is thrown away; rejects with `damaged` then.
   */
  async #local(words: readonly string[], more: Partial<GitRun> = {}): Promise<void> {
    try {
      await this.#inside(words, more);
    } catch (error) {
      if (!(error instanceof SourceError && (error.code === 'git' || error.code === 'gone'))) throw error;
      await rm(this.#options.folder, { recursive: true, force: true });
      throw new SourceError('damaged', `its mirror is damaged, and made anew: ${error.message}`);
    }
  }

  async #inside(words: readonly string[], more: Partial<GitRun> = {}): Promise<void> {
    await this.#git([`--git-dir=${this.#options.folder}`, ...words], { limitMs: LOCAL_LIMIT_MS, ...more });
  }

  async #git(words: readonly string[], more: Omit<GitRun, 'args' | 'env'>): Promise<void> {
    const { git, access, signal } = this.#options;
    await git.run({
      ...more,
      signals: [signal, ...(more.signals ?? [])],
      args: [...access.words, ...words],
      env: access.env,
    });
  }
}

/** Git compares each ref that it is given with each that there is. */
function specsOf(refs: readonly string[]): readonly string[] {
  if (refs.length <= NAMED_AT_ONCE) return refs.map((ref) => `+${ref}:${ref}\n`);
  const kinds = new Set(refs.map((ref) => ref.split('/', 2).join('/')));
  return [...kinds].map((kind) => `+${kind}/*:${kind}/*\n`);
}

function tooLarge(bytes: number, limitBytes: number): SourceError {
  return new SourceError(
    'large',
    `its mirror takes more than ${showSize(limitBytes)} (${aboutSize(bytes)}): raise mirrorLimit, or poll fewer branches`,
  );
}

/** Git works in that folder at the same time. */
function unlessGone<T>(error: unknown, otherwise: T): T {
  if (errorCode(error) === 'ENOENT') return otherwise;
  throw error;
}
