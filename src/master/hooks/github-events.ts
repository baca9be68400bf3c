import { z } from 'zod';
import type { Forge } from '../../model/forge.ts';
import type { HookEvent, ReadEvent } from './hook-event.ts';
import { commit, commits, link, revision, text } from './payload-parts.ts';
import { pullRequestNews } from './pull-request-news.ts';
import { pushNews } from './push-news.ts';

const push = z.object({
  ref: z.string(),
  after: z.string(),
  created: z.boolean().optional(),
  commits,
  head_commit: commit.nullish(),
  total_commits: z.int().nonnegative().optional(),
});

const person = z.object({ login: text });
const side = z.object({ ref: text, sha: revision, repo: z.object({ id: z.int() }).nullish() });
const pullRequest = z.object({
  action: z.string(),
  number: z.int().positive(),
  pull_request: z.object({
    title: text,
    html_url: link,
    user: person.nullish(),
    head: side,
    base: side,
    changed_files: z.int().nonnegative().nullish(),
  }),
  sender: person.nullish(),
});

/** Those that give a pull request a revision; Gitea says `synchronized`. */
const NEW_HEAD = new Set(['opened', 'reopened', 'synchronize', 'synchronized']);

/** GitHub's events, and those of Gitea and Forgejo, which are like them. */
export function readGithubLike(forge: Forge): ReadEvent {
  return (event, payload) => {
    if (event === 'ping') return { nothing: 'hello' };
    if (event === 'push') return readPush(push.parse(payload));
    if (event === 'pull_request' || event === 'pull_request_sync') return readPull(forge, pullRequest.parse(payload));
    return { nothing: `nothing is done about ${event || 'an event without a name'}` };
  };
}

function readPush({
  ref,
  after,
  created,
  commits: all,
  head_commit: head,
  total_commits: total,
}: z.infer<typeof push>): HookEvent {
  // Of a branch that was just made from another one, what is on no branch yet.
  const own = created ? all.filter(({ distinct }) => distinct !== false) : all;
  return pushNews({ ref, after, commits: own, head: head ?? undefined, total: created ? undefined : total });
}

function readPull(
  forge: Forge,
  { action, number, pull_request: request, sender }: z.infer<typeof pullRequest>,
): HookEvent {
  if (!NEW_HEAD.has(action)) return { nothing: `nothing is done about a pull request that was ${action}` };
  const { title, html_url: url, user, head, base, changed_files: changedFiles } = request;
  return pullRequestNews(forge, {
    number,
    title,
    head: head.sha,
    target: base.ref,
    // The repository of a fork that was deleted is nobody's.
    isOfFork: !head.repo || head.repo.id !== base.repo?.id || isNoBranch(head.ref),
    author: user?.login ?? '',
    by: sender?.login,
    changedFiles: changedFiles ?? undefined,
    ...url,
  });
}

/** Gitea and Forgejo take pull requests of whoever may read (`git push … HEAD:refs/for/main`): of the same repository, but on no branch of it. */
function isNoBranch(ref: string): boolean {
  return ref === '' || ref.startsWith('refs/');
}
