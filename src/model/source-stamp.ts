/** What source a build is of. `revision` absent = the tip of `branch`; `branch` absent = the repository's default. */
export interface SourceStamp {
  readonly repository?: string;
  readonly branch?: string;
  readonly revision?: string;
  /** On top of the revision. Two stamps with patches are never the same source: their requests are never joined. */
  readonly patch?: Patch;
  /**
   * It is of a fork, and this is whose: anybody may have written it. Its builds get no secrets, and wait until somebody
   * approves the revision. It goes on to whatever is built of the same source.
   */
  readonly untrustedOf?: string;
}

/** A difference that somebody wants tried. It is a file of the master's, never a row or a frame. */
export interface Patch {
  /** A ULID; names the file. */
  readonly id: string;
  /** In hex. */
  readonly sha256: string;
  readonly bytes: number;
}

/** Where patches lie, relative to the master's folder. */
export const PATCHES_FOLDER = 'state/patches';

/** The file of a patch, relative to the master's folder. */
export function patchFile({ id }: Pick<Patch, 'id'>): string {
  return `${PATCHES_FOLDER}/${id}.patch`;
}
