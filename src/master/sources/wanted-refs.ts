import type { PollShape } from '../../config/shape.ts';
import { isBranchName } from '../../model/branch-name.ts';
import type { TextRule } from '../../model/change-filter.ts';
import { meant } from '../changes/bounded-match.ts';
import { TAGS } from './moves.ts';
import type { RemoteTips } from './remote-tips.ts';

export const BRANCHES = 'refs/heads/';

/** Which branches and tags of its repository a project wants to be polled; kept with how far it has come. */
export interface Wants {
  readonly branches?: TextRule | { readonly function: string };
  readonly tags?: TextRule;
  readonly branch?: string;
}

/** The same where no function is to be asked any more. */
export interface RuledWants extends Wants {
  readonly branches?: TextRule;
}

export function isRuled(wants: Wants): wants is RuledWants {
  return !wants.branches || !('function' in wants.branches);
}

export function wantsOf(poll: PollShape, branch: string | undefined): Wants {
  const { branches, tags } = poll;
  return {
    ...(branches ? { branches } : branch !== undefined && { branch }),
    ...(tags && { tags }),
  };
}

/** Those of the refs that are wanted; throws when the patterns take too long. What could be no build's branch is none. */
export function wantedRefs(
  { branches, tags, branch }: RuledWants,
  head: string | undefined,
  refs: Iterable<string>,
): ReadonlySet<string> {
  const names: Record<typeof BRANCHES | typeof TAGS, string[]> = { [BRANCHES]: [], [TAGS]: [] };
  for (const ref of refs) {
    const kind = ref.startsWith(BRANCHES) ? BRANCHES : TAGS;
    const name = ref.slice(kind.length);
    // What is no UTF-8 cannot be asked for by its name.
    if (isBranchName(kind === TAGS ? ref : name) && !name.includes('\uFFFD')) names[kind].push(name);
  }
  const own = branch ?? head?.slice(BRANCHES.length);
  const heads = branches ? meant(branches, names[BRANCHES]) : names[BRANCHES].filter((name) => name === own);
  const tagged = tags ? meant(tags, names[TAGS]) : [];
  return new Set([...heads.map((name) => BRANCHES + name), ...tagged.map((name) => TAGS + name)]);
}

/** Those tips that are wanted. */
export function wantedTips(wants: RuledWants, { head, tips }: RemoteTips): ReadonlyMap<string, string> {
  const wanted = wantedRefs(wants, head, tips.keys());
  return new Map([...tips].filter(([ref]) => wanted.has(ref)));
}
