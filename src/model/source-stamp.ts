/** What source a build is of. `revision` absent = the tip of `branch`; `branch` absent = the repository's default. */
export interface SourceStamp {
  readonly repository?: string;
  readonly branch?: string;
  readonly revision?: string;
}
