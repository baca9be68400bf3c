/** Those whose webhooks the master takes; Forgejo speaks as Gitea. */
export const FORGES = ['github', 'gitlab', 'gitea'] as const;
export type Forge = (typeof FORGES)[number];

/** The number of the pull request whose head this is; undefined when it is none. */
export function pullRequestOf(branch: string | undefined): number | undefined {
  const number = /^refs\/(?:pull|merge-requests)\/([1-9]\d{0,14})\/head$/.exec(branch ?? '')?.[1];
  return number === undefined ? undefined : Number(number);
}
