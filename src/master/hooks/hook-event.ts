import type { ChangeKind } from '../../model/change.ts';
import type { ChangeWish } from '../views/change.ts';

/** A commit that a forge told of. Its texts are anybody's. */
export interface HookCommit {
  readonly id: string;
  readonly message: string;
  readonly author?: string;
  readonly committer?: string;
  /** Where the forge shows it. */
  readonly revlink?: string;
  readonly files: readonly string[];
  /** At least so many more that it did not name. */
  readonly filesLeftOut: number;
}

/** Something was pushed, or a pull request has a new head. */
export interface HookNews {
  readonly kind: ChangeKind;
  /** Where it is to be fetched from: a branch, or a whole ref. */
  readonly branch: string;
  /** Oldest first, the tip last; at least one. */
  readonly commits: readonly HookCommit[];
  /** Older commits that were not kept, or that the forge did not name. */
  readonly commitsLeftOut: number;
  /** What may say that nothing is to be built: the message of the tip, the title of a pull request. */
  readonly notes: readonly string[];
  readonly pullRequest?: {
    /** The branch that it is to go into. */
    readonly target: string;
    readonly isOfFork: boolean;
    readonly author: string;
    /** Whose doing it was, when the forge says so: somebody else may push to the author's fork. */
    readonly by?: string | undefined;
  };
}

/** What a delivery says; `nothing`: why there is nothing to be done about it. */
export type HookEvent =
  | { readonly news: HookNews }
  /** Changes as whoever sent them says, oldest first. */
  | { readonly told: readonly ChangeWish[] }
  | { readonly nothing: string };

/** Takes what a forge's payload says of one event, whose name came beside it. Throws a `ZodError` when it is not of that shape. */
export type ReadEvent = (event: string, payload: unknown) => HookEvent;
