import type { JsonObject } from './json.ts';
import type { SourceStamp } from './source-stamp.ts';

export type ChangeKind = 'push' | 'pull-request' | 'tag';

/**
 * A change of a project's source, as somebody told of it. What its texts hold is anybody's: they are data, and are shown with
 * what a terminal would act on made visible.
 */
export interface Change {
  readonly id: number;
  readonly project: string;
  /** The project's own, when it came. */
  readonly repository: string;
  /** A branch; of a pull request, and of a tag, the whole ref. */
  readonly branch: string;
  readonly revision: string;
  /** Who made it, if that was told: nobody has checked it. */
  readonly author?: string;
  /** Who put it into the repository, told and checked as the author is. */
  readonly committer?: string;
  readonly comments: string;
  readonly files: readonly string[];
  /** At least so many more files it has, of which the names are not known, or not kept. */
  readonly filesLeftOut: number;
  readonly category?: string;
  /** Where it can be looked at: `http:` or `https:` alone. */
  readonly revlink?: string;
  /** Which part of the project's source it is of, if that was told: for filters. */
  readonly codebase?: string;
  /** What whoever told of it calls the builds of it. */
  readonly externalId?: string;
  /** Absent: nobody said. */
  readonly kind?: ChangeKind;
  /** Of a pull request: the branch that it is to go into. */
  readonly target?: string;
  /** It is of a fork: whoever wrote it may be anybody. */
  readonly isUntrusted?: boolean;
  /** Why nothing is built of it: it says so itself (`[skip ci]`), or forks are ignored. */
  readonly skipped?: string;
  /** Filters that could not tell whether they want it, and why: it is built as if they did. */
  readonly problems?: readonly string[];
  /** Builds of it begin with these. */
  readonly properties: JsonObject;
  readonly atMs: number;
  /** The person whose key told of it, or `hook:FORGE`. */
  readonly sentBy: string;
}

/** What builds of a change are of. */
export function sourceOf({
  repository,
  branch,
  revision,
  isUntrusted,
  author,
  sentBy,
}: Pick<Change, 'repository' | 'branch' | 'revision' | 'isUntrusted' | 'author' | 'sentBy'>): SourceStamp {
  return { repository, branch, revision, ...(isUntrusted && { untrustedOf: author ?? sentBy }) };
}

/** The first line of what is said of a change. */
export function subjectOf(comments: string): string {
  return comments.trimStart().split(/[\r\n]/, 1)[0] ?? '';
}
