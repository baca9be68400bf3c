import type { JsonObject } from './json.ts';

/**
 * A change of a project's source, as somebody told of it. What its texts hold is anybody's: they are data, and are shown with
 * what a terminal would act on made visible.
 */
export interface Change {
  readonly id: number;
  readonly project: string;
  /** The project's own, when it came. */
  readonly repository: string;
  readonly branch: string;
  readonly revision: string;
  /** Who made it, if that was told: nobody has checked it. */
  readonly author?: string;
  readonly comments: string;
  readonly files: readonly string[];
  /** So many more files it has, of which the names are not kept. */
  readonly filesLeftOut: number;
  readonly category?: string;
  /** Builds of it begin with these. */
  readonly properties: JsonObject;
  readonly atMs: number;
  /** The person whose key told of it. */
  readonly sentBy: string;
}

/** The first line of what is said of a change. */
export function subjectOf(comments: string): string {
  return comments.trimStart().split(/[\r\n]/, 1)[0] ?? '';
}
