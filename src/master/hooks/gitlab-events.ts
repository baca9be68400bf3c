import { z } from 'zod';
import type { HookEvent, ReadEvent } from './hook-event.ts';
import { commits, link, revision, text } from './payload-parts.ts';
import { pullRequestNews } from './pull-request-news.ts';
import { pushNews } from './push-news.ts';

const push = z.object({
  ref: z.string(),
  after: z.string(),
  /** The commit, where `after` is a tag; null when something was deleted. */
  checkout_sha: revision.nullish(),
  commits,
  total_commits_count: z.int().nonnegative().nullish(),
});

const mergeRequest = z.object({
  user: z.object({ id: z.int().nullish(), username: text }).nullish(),
  object_attributes: z.object({
    iid: z.int().positive(),
    action: text,
    title: text,
    url: link,
    target_branch: text,
    author_id: z.int().nullish(),
    source_project_id: z.int().nullish(),
    target_project_id: z.int(),
    last_commit: z.object({ id: revision, message: text }),
  }),
});

/** `update` is any change of the request: one that brings no commit has a head that is known. */
const NEW_HEAD = new Set(['open', 'reopen', 'update']);

/** GitLab's events; it names a system hook's event in the payload alone. */
export const readGitlab: ReadEvent = (event, payload) => {
  if (event === 'Push Hook' || event === 'Tag Push Hook') return readPush(push.parse(payload));
  if (event === 'Merge Request Hook') return readMerge(mergeRequest.parse(payload));
  return { nothing: `nothing is done about ${event || 'an event without a name'}` };
};

function readPush({
  ref,
  after,
  checkout_sha: checkout,
  commits: all,
  total_commits_count: total,
}: z.infer<typeof push>): HookEvent {
  const tip = checkout ?? undefined;
  const head =
    all.find(({ id }) => id === tip) ??
    (tip === undefined ? undefined : { id: tip, message: '', files: [], filesLeftOut: 1 });
  return pushNews({ ref, after, commits: all, head, total: total ?? undefined });
}

function readMerge({ user, object_attributes: request }: z.infer<typeof mergeRequest>): HookEvent {
  const { iid, action, title, url, target_branch: target, author_id: authorId, last_commit: head } = request;
  if (!NEW_HEAD.has(action)) return { nothing: `nothing is done about a merge request on ${action || 'no action'}` };
  const by = user?.username ?? '';
  // Of the author the payload has the number; the name only of the one who did this.
  const isByAuthor = user?.id !== undefined && user.id !== null && user.id === authorId;
  return pullRequestNews('gitlab', {
    number: iid,
    title,
    head: head.id,
    message: head.message,
    target,
    isOfFork: request.source_project_id !== request.target_project_id,
    author: isByAuthor ? by : `user ${authorId ?? 'unknown'}`,
    by,
    ...url,
  });
}
