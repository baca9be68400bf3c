import type { Build } from '../model/build.ts';
import type { VirtualBuilder } from '../model/virtual-builder.ts';

export interface BuilderName {
  readonly project: string;
  readonly builder: string;
}

/** The newest build of a builder that has ended. */
export type LastEnd = BuilderName & Required<Pick<Build, 'id' | 'number' | 'result' | 'finishedAtMs'>>;

/** A virtual builder as its newest build has it, and who built that. */
export interface KnownVirtual extends VirtualBuilder, BuilderName {}

/** What the rows know of builders. */
export interface BuilderStore {
  /** The newest build that has ended of each of them that has one. */
  lastEnds(builders: readonly BuilderName[]): Promise<readonly LastEnd[]>;
  /** Those that builds were ever shown as, by project and name. */
  virtual(): Promise<readonly KnownVirtual[]>;
  /** As `lastEnds`, where `builder` is the name of a virtual one. */
  lastVirtualEnds(builders: readonly BuilderName[]): Promise<readonly LastEnd[]>;
}
