/** One way to say which texts are meant; `is` and `glob` are told apart when the configuration is checked. */
export type TextPattern =
  { readonly is: string } | { readonly glob: string } | { readonly regex: string; readonly flags: string };

/** One of `any` and none of `none`; an empty `any` means all. */
export interface TextRule {
  readonly any: readonly TextPattern[];
  readonly none: readonly TextPattern[];
}

/** Which changes a scheduler wants; what is absent excludes none. A branch that is no branch (`refs/…`) has to be asked for. */
export interface ChangeFilter {
  readonly branch?: TextRule;
  readonly author?: TextRule;
  readonly category?: TextRule;
  readonly codebase?: TextRule;
  /** Names of tags: their changes are wanted, too. */
  readonly tags?: TextRule;
  /** Pull requests are wanted, too, of which `branch` means the one that they are to go into. */
  readonly pullRequests?: boolean;
  /** One of the change's files is to be among these. */
  readonly files?: TextRule;
  /** The same makes the change important; absent: each is. */
  readonly importantFiles?: TextRule;
  /** Functions of the configuration, which are asked besides. */
  readonly hasFilter: boolean;
  readonly hasFileIsImportant: boolean;
  /** Of their code. */
  readonly fingerprint?: string;
}

/** What a scheduler makes of a change. An unimportant one is built with the next important one. */
export type Importance = 'ignored' | 'unimportant' | 'important';
