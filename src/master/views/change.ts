import type { Change, ChangeKind } from '../../model/change.ts';
import type { JsonObject } from '../../model/json.ts';

/** A change as somebody tells of it; `key` tells it from others if branch and revision do not. */
export interface ChangeWish {
  readonly branch: string;
  readonly revision: string;
  readonly author?: string;
  readonly committer?: string;
  readonly comments?: string;
  readonly files?: readonly string[];
  readonly category?: string;
  readonly revlink?: string;
  readonly codebase?: string;
  /** What whoever tells of it calls the builds of it. */
  readonly externalId?: string;
  readonly properties?: JsonObject;
  readonly key?: string;
}

/** A change that the master learned of by itself: with what nobody may say of his own. */
export interface ToldChange extends ChangeWish, Pick<Change, 'kind' | 'target' | 'isUntrusted' | 'skipped'> {
  /** At least so many files that are not named. */
  readonly filesLeftOut?: number;
  /** What could not be told of it before. */
  readonly problems?: readonly string[];
}

export interface SentChange {
  readonly id: number;
  readonly branch: string;
  readonly revision: string;
  /** False: it was known already, and nothing was done. */
  readonly isNew: boolean;
  /** Those that were made for it, now or when it came first. */
  readonly requests: readonly number[];
  /** Schedulers that it waits for: a quiet branch, or their time. */
  readonly waitsFor: readonly string[];
}

export interface ChangesWish {
  readonly project?: string;
  /** Changes of these projects are left out. */
  readonly without?: readonly string[];
  readonly limit: number;
}

/** The documented, stable JSON of `changes --json`. */
export interface ChangeView {
  readonly id: number;
  readonly project: string;
  readonly repository: string;
  readonly branch: string;
  readonly revision: string;
  readonly author: string | null;
  readonly committer: string | null;
  readonly comments: string;
  readonly files: readonly string[];
  /** So many more files whose names are not kept. */
  readonly filesLeftOut: number;
  readonly category: string | null;
  /** Where it can be looked at. */
  readonly revlink: string | null;
  readonly codebase: string | null;
  readonly externalId: string | null;
  readonly kind: ChangeKind | null;
  /** Of a pull request: the branch that it is to go into. */
  readonly target: string | null;
  /** It is of a fork. */
  readonly isUntrusted: boolean;
  /** Why nothing is built of it, if so. */
  readonly skipped: string | null;
  /** Filters that could not tell, and why. */
  readonly problems: readonly string[];
  readonly properties: JsonObject;
  readonly atMs: number;
  readonly sentBy: string;
}
