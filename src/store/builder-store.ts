import type { Build } from '../model/build.ts';

export interface BuilderName {
  readonly project: string;
  readonly builder: string;
}

/** What the rows know of builders. */
export interface BuilderStore {
  /** The newest build that has ended of each of them that has one. */
  lastEnds(
    builders: readonly BuilderName[],
  ): Promise<readonly (BuilderName & Required<Pick<Build, 'id' | 'number' | 'result' | 'finishedAtMs'>>)[]>;
}
