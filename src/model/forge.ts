/** Those whose webhooks the master takes; Forgejo speaks as Gitea. */
export const FORGES = ['github', 'gitlab', 'gitea'] as const;
export type Forge = (typeof FORGES)[number];

/** And whatever else can sign a change, which it tells in the words of `sendchange`. */
export const HOOK_KINDS = [...FORGES, 'generic'] as const;
export type HookKind = (typeof HOOK_KINDS)[number];

export function isHookKind(name: string): name is HookKind {
  return (HOOK_KINDS as readonly string[]).includes(name);
}

/** Where a forge keeps the head of a pull request, for git to fetch: it is the branch of the request's changes. */
export function pullRequestRef(forge: Forge, number: number): string {
  return `refs/${forge === 'gitlab' ? 'merge-requests' : 'pull'}/${number}/head`;
}

/** Whether it is no branch and no tag: anybody may put something there, as into the head of a pull request. */
export function isAnybodys(branch: string | undefined): boolean {
  return branch !== undefined && /^refs\/(?!heads\/|tags\/)/.test(branch);
}

/** The number of the pull request whose head this is; undefined when it is none. */
export function pullRequestOf(branch: string | undefined): number | undefined {
  const number = /^refs\/(?:pull|merge-requests)\/([1-9]\d{0,14})\/head$/.exec(branch ?? '')?.[1];
  return number === undefined ? undefined : Number(number);
}
