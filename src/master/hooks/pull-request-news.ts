import type { Forge } from '../../model/forge.ts';
import { pullRequestRef } from '../../model/forge.ts';
import type { HookEvent, HookNews } from './hook-event.ts';

export interface PullRequest extends NonNullable<HookNews['pullRequest']> {
  readonly number: number;
  readonly head: string;
  readonly title: string;
  /** Of its newest commit, when the forge tells of it. */
  readonly message?: string | undefined;
  /** Its page. */
  readonly revlink?: string;
  /** As the forge counts them; it names none of them. */
  readonly changedFiles?: number | undefined;
}

/** What a pull request's new head means: one change, of its newest revision. */
export function pullRequestNews(forge: Forge, request: PullRequest): HookEvent {
  const { number, head, title, message, revlink, changedFiles, target, isOfFork, author, by } = request;
  const notes = [title, ...(message === undefined ? [] : [message])];
  const tip = {
    id: head,
    message: notes.at(-1) ?? '',
    author,
    ...(revlink !== undefined && { revlink }),
    files: [],
    filesLeftOut: Math.max(1, changedFiles ?? 1),
  };
  return {
    news: {
      kind: 'pull-request',
      branch: pullRequestRef(forge, number),
      commits: [tip],
      commitsLeftOut: 0,
      notes,
      pullRequest: { target, isOfFork, author, by },
    },
  };
}
