import type { ProjectShape } from '../../config/shape.ts';
import { skipMark } from '../changes/skip-mark.ts';
import type { ToldChange } from '../views/change.ts';
import type { HookNews } from './hook-event.ts';

/** Who approves revisions of forks where `forks: 'build'` is said. */
export const APPROVED_BY_CONFIG = 'the configuration';

type Rules = Pick<ProjectShape, 'hook' | 'forks' | 'trustedAuthors'>;

/** What a project makes of a forge's news: a change for each commit, oldest first. */
export function hookChanges(
  project: Rules,
  { kind, branch, commits, notes, pullRequest }: HookNews,
): readonly ToldChange[] {
  const isUntrusted = pullRequest?.isOfFork === true && !isTrusted(project, pullRequest);
  const skipped = skippedFor(project, notes, isUntrusted);
  return commits.map(({ id, message, author, ...commit }) => ({
    ...commit,
    branch,
    revision: id,
    comments: message,
    kind,
    ...(author !== undefined && author !== '' && { author }),
    ...(pullRequest && { target: pullRequest.target }),
    ...(isUntrusted && { isUntrusted }),
    ...(skipped !== undefined && { skipped }),
  }));
}

/** The same of what a generic hook was told, which has said all else; each change speaks for itself. */
export function genericChanges({ hook }: Rules, told: readonly ToldChange[]): readonly ToldChange[] {
  return told.map((change) => {
    const skipped = skipMark(hook?.skip ?? [], [change.comments ?? '']);
    return { ...change, ...(skipped !== undefined && { skipped }) };
  });
}

/** Both: somebody else may push to the fork of one who is trusted. Forges tell no case apart in names. */
function isTrusted({ trustedAuthors = [] }: Rules, { author, by }: NonNullable<HookNews['pullRequest']>): boolean {
  const trusted = new Set(trustedAuthors.map((name) => name.toLowerCase()));
  return [author, by ?? ''].every((name) => trusted.has(name.toLowerCase()));
}

function skippedFor({ hook, forks }: Rules, notes: readonly string[], isUntrusted: boolean): string | undefined {
  if (isUntrusted && forks === 'ignore') return 'it is of a fork';
  return skipMark(hook?.skip ?? [], notes);
}
