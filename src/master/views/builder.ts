import type { Result } from '../../model/result.ts';

/** The documented, stable JSON of `builders --json`. Times are UTC ms. */
export interface BuilderView {
  readonly project: string;
  readonly name: string;
  /** Of a virtual one, the builder of its newest build; null: it is in the configuration. */
  readonly virtualOf: string | null;
  /** In markdown, as the configuration has it; null: it has none. */
  readonly description: string | null;
  readonly projectDescription: string | null;
  readonly tags: readonly string[];
  /** Names of those that may build it. */
  readonly workers: readonly string[];
  /** Builds that run, and requests that wait. */
  readonly running: number;
  readonly waiting: number;
  /** Its newest build that has ended; null: there is none. */
  readonly last: {
    readonly build: number;
    readonly number: number;
    readonly result: Result;
    readonly finishedAtMs: number;
  } | null;
}

export interface BuildersWish {
  readonly project?: string;
  /** Builders that have all of them. */
  readonly tags: readonly string[];
}
