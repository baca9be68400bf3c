/** Of a branch, or of a revision. */
export const REF_MAX = 255;
/** What git-check-ref-format forbids, and what a command line or a terminal might take for something else. */
const BAD_BRANCH = /^[-./]|[/.]$|\.\.|\/\/|@\{|\.lock(\/|$)|[\s~^:?*[\\\p{Cc}]/u;

/** It may be told as a branch, and asked for. */
export function isBranchName(text: string): boolean {
  return text !== '' && text.length <= REF_MAX && !BAD_BRANCH.test(text);
}
