import { CHANGES_AT_ONCE } from '../changes/read-changes.ts';
import type { HookCommit, HookEvent } from './hook-event.ts';

const BRANCHES = 'refs/heads/';
const TAGS = 'refs/tags/';
/** What git has for the tip of a branch that is not there. */
const NOTHING = /^0{40,64}$/;

export interface Push {
  readonly ref: string;
  /** The tip; absent, or zeros: it was deleted. */
  readonly after?: string | null | undefined;
  /** In the order of the forge. */
  readonly commits: readonly HookCommit[];
  /** The tip, as far as the forge tells of it apart from the list. */
  readonly head?: HookCommit | undefined;
  /** So many commits the push had, when the forge says so. */
  readonly total?: number | undefined;
}

/** What a push of a branch or a tag means. */
export function pushNews({ ref, after, commits, head, total = 0 }: Push): HookEvent {
  if (after === undefined || after === null || NOTHING.test(after)) return { nothing: `${ref} was deleted` };
  const isTag = ref.startsWith(TAGS);
  if (!isTag && !ref.startsWith(BRANCHES)) return { nothing: `${ref} is neither a branch nor a tag` };
  // The commit, where `after` names the tag that leads to it.
  const tip = isTag ? (head?.id ?? after) : after;
  const all = isTag ? [] : tipLast(commits, tip);
  // A branch that was made anew or set back tells of no commit: its tip is what there is to build.
  const isTipThere = all.at(-1)?.id === tip;
  const known = isTipThere ? all : [...all, head?.id === tip ? head : unknownCommit(tip)];
  const kept = known.slice(-CHANGES_AT_ONCE);
  return {
    news: {
      kind: isTag ? 'tag' : 'push',
      branch: isTag ? ref : ref.slice(BRANCHES.length),
      commits: kept,
      commitsLeftOut: Math.max(total, known.length) - kept.length,
      notes: [kept.at(-1)?.message ?? ''],
    },
  };
}

/** Some tell of the newest first. */
function tipLast(commits: readonly HookCommit[], tip: string): readonly HookCommit[] {
  return commits[0]?.id === tip && commits.at(-1)?.id !== tip ? commits.toReversed() : commits;
}

/** Of which nothing is told but that it is there; of its files neither. */
function unknownCommit(id: string): HookCommit {
  return { id, message: '', files: [], filesLeftOut: 1 };
}
