import { createHash, createHmac } from 'node:crypto';
import type { Forge } from '../../src/model/forge.ts';

/** Webhooks in the shapes that the forges document, with the keys that matter and some that do not. */

export const NOBODY = '0'.repeat(40);

/** The revision of a name. */
export function sha(name: string | number): string {
  return createHash('sha1').update(String(name)).digest('hex');
}

export interface CommitWish {
  readonly message?: string;
  readonly files?: readonly string[];
}

function commitOf(name: string | number, { message = `Change ${name}`, files = ['src/a.c'] }: CommitWish = {}) {
  return {
    id: sha(name),
    message,
    timestamp: '2026-11-21T12:00:00Z',
    url: 'https://forge.example.org/c',
    author: { name: 'Ann', email: 'ann@example.org', username: 'ann' },
    committer: { name: 'Zoe', email: 'zoe@example.org' },
    added: [],
    removed: [],
    modified: files,
  };
}

export interface PushWish extends CommitWish {
  readonly ref?: string;
  /** Oldest first; of the last one the message and the files are. */
  readonly commits?: readonly (string | number)[];
  readonly after?: string;
}

export function pushOf(
  forge: Forge,
  { ref = 'refs/heads/main', commits = ['one'], after, ...tip }: PushWish = {},
): object {
  const list = commits.map((name, index) => commitOf(name, index === commits.length - 1 ? tip : {}));
  const to = after ?? list.at(-1)?.id ?? NOBODY;
  const common = { ref, before: sha('before'), after: to };
  if (forge === 'gitlab') {
    const checkout = to === NOBODY ? null : to;
    const more = { checkout_sha: checkout, user_username: 'ann', project_id: 1 };
    return { object_kind: 'push', ...common, ...more, commits: list.slice(-20), total_commits_count: list.length };
  }
  const sender = { login: 'ann', id: 1 };
  const repository = { id: 1, full_name: 'kde/kate', clone_url: 'https://forge.example.org/kde/kate.git' };
  // The newest first.
  if (forge === 'gitea')
    return { ...common, commits: list.toReversed(), total_commits: list.length, repository, sender };
  const head = to === NOBODY ? null : { ...(list.at(-1) ?? commitOf('tip', tip)), id: to };
  return {
    ...common,
    created: false,
    deleted: to === NOBODY,
    forced: false,
    commits: list,
    head_commit: head,
    repository,
    sender,
  };
}

export interface PullWish {
  readonly number?: number;
  readonly head?: string;
  readonly author?: string;
  readonly by?: string;
  readonly isOfFork?: boolean;
  /** Of its head; not GitLab's. */
  readonly ref?: string;
  readonly action?: string;
  readonly target?: string;
  readonly title?: string;
  /** Its page. */
  readonly page?: string;
}

export function pullOf(forge: Forge, wish: PullWish = {}): object {
  const {
    number = 7,
    head = 'head',
    author = 'mallory',
    by = author,
    isOfFork = true,
    target = 'main',
    title = 'Better',
  } = wish;
  if (forge === 'gitlab') {
    return {
      object_kind: 'merge_request',
      user: { id: by.length, username: by },
      project: { id: 1, path_with_namespace: 'kde/kate' },
      object_attributes: {
        iid: number,
        action: wish.action ?? 'open',
        title,
        url: wish.page,
        source_branch: 'better',
        target_branch: target,
        author_id: author.length,
        source_project_id: isOfFork ? 2 : 1,
        target_project_id: 1,
        last_commit: { id: sha(head), message: title, author: { name: author, email: 'x@example.org' } },
      },
    };
  }
  return {
    action: wish.action ?? 'opened',
    number,
    pull_request: {
      title,
      html_url: wish.page,
      body: null,
      changed_files: 3,
      user: { login: author },
      head: {
        ref: wish.ref ?? 'better',
        sha: sha(head),
        repo: isOfFork ? { id: 2, full_name: `${author}/kate` } : { id: 1 },
      },
      base: { ref: target, sha: sha('base'), repo: { id: 1, full_name: 'kde/kate' } },
    },
    repository: { id: 1, full_name: 'kde/kate' },
    sender: { login: by },
  };
}

export type EventName = 'push' | 'tag' | 'pull-request' | 'ping' | 'other';

const EVENTS: Readonly<Record<Forge, Readonly<Record<EventName, string>>>> = {
  github: { push: 'push', tag: 'push', 'pull-request': 'pull_request', ping: 'ping', other: 'star' },
  gitea: { push: 'push', tag: 'push', 'pull-request': 'pull_request', ping: 'ping', other: 'fork' },
  gitlab: {
    push: 'Push Hook',
    tag: 'Tag Push Hook',
    'pull-request': 'Merge Request Hook',
    ping: 'Ping',
    other: 'Wiki Page Hook',
  },
};

/** The headers with which a forge sends a body, signed. */
export function signed(
  forge: Forge,
  event: EventName,
  body: string,
  secret: string,
  id?: string,
): Record<string, string> {
  const name = EVENTS[forge][event];
  const hmac = createHmac('sha256', secret).update(body).digest('hex');
  const type = { 'content-type': 'application/json' };
  if (forge === 'gitlab') {
    return { ...type, 'x-gitlab-event': name, 'x-gitlab-token': secret, ...(id !== undefined && { 'webhook-id': id }) };
  }
  if (forge === 'gitea') {
    const delivery = id !== undefined && { 'x-gitea-delivery': id };
    return { ...type, 'x-gitea-event': name, 'x-gitea-signature': hmac, ...delivery };
  }
  const delivery = id !== undefined && { 'x-github-delivery': id };
  return { ...type, 'x-github-event': name, 'x-hub-signature-256': `sha256=${hmac}`, ...delivery };
}
