import type { Artifact } from '../model/artifact.ts';

/** Of which build an artifact is wanted. */
export interface ArtifactWish {
  readonly name: string;
  readonly project: string;
  /** Absent: any of the project. */
  readonly builder?: string;
}

export interface ArtifactStore {
  /** Throws a `conflict` when the build has one of that name. */
  add(artifact: Artifact): Promise<void>;
  /** Of a build, by name. */
  list(buildId: number): Promise<readonly Artifact[]>;
  find(buildId: number, name: string): Promise<Artifact | undefined>;
  count(buildId: number): Promise<number>;
  /** The newest of a build that ended well (success or warnings), with neither a patch nor the source of a fork. */
  lastGood(wish: ArtifactWish): Promise<Artifact | undefined>;
  /** Those of these hashes that an artifact has. */
  referenced(hashes: readonly string[]): Promise<ReadonlySet<string>>;
  /** Removes a build's; resolves to the hashes that no other artifact has. */
  removeOf(buildId: number): Promise<readonly string[]>;
}
