import type { Change } from '../model/change.ts';

/** A change as a function of the configuration sees it. */
export type ChangeFacts = Omit<Change, 'id'>;

/** A text, a glob (`*` is all but `/`, `**` all), a regular expression; `!` before a text or glob excludes. */
export type Pattern = string | RegExp;

export type ChangeFunction = (change: ChangeFacts) => boolean | Promise<boolean>;

/** Which changes a scheduler wants: those that everything given here holds for. */
export interface ChangeFilterOptions {
  readonly branch?: Pattern | readonly Pattern[];
  readonly author?: Pattern | readonly Pattern[];
  readonly category?: Pattern | readonly Pattern[];
  readonly codebase?: Pattern | readonly Pattern[];
  /** Changes of these tags (`true`: of all), besides those of branches. */
  readonly tags?: true | Pattern | readonly Pattern[];
  /** Also changes of pull requests into these branches. */
  readonly pullRequests?: boolean;
  /** Globs: one of its files is among them. A change of which not all files are known may have one. */
  readonly files?: string | readonly string[];
  /** An unimportant change is built only with the next important one; default: all are important. */
  readonly fileIsImportant?: string | readonly string[] | ChangeFunction;
  readonly filter?: ChangeFunction;
}
