import type { JsonObject } from './json.ts';
import type { SourceStamp } from './source-stamp.ts';

/** One builder asked to build one source stamp. */
export interface BuildRequest {
  readonly id: number;
  readonly buildSetId: number;
  readonly project: string;
  readonly builder: string;
  readonly priority: number;
  readonly reason: string;
  /** Who asked: a person's name, or a scheduler's. */
  readonly owner: string;
  readonly source: SourceStamp;
  readonly properties: JsonObject;
  readonly submittedAtMs: number;
}

/** A request with more builds than this is not retried any more: whatever is lost each time, it is not by chance. */
export const MAX_BUILDS_OF_A_REQUEST = 10;
