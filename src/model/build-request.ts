import type { JsonObject } from './json.ts';
import type { SourceStamp } from './source-stamp.ts';

/** The build whose step asked for a build set. */
export interface Parent {
  readonly buildId: number;
  /** It waits for the end of them; when it ends before, so do they. */
  readonly waits: boolean;
}

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
  /** The scheduler of the project that asked, by its name. */
  readonly scheduler?: string;
  /** What whoever asked calls its build set elsewhere. */
  readonly externalId?: string;
  readonly source: SourceStamp;
  readonly properties: JsonObject;
  /** Where a property came from, when that is not `request`. */
  readonly propertySources?: Readonly<Record<string, string>>;
  readonly submittedAtMs: number;
  /** Its place in the queue: when it was submitted; of one that its parent waits for: the parent's place. */
  readonly rankAtMs: number;
  readonly parent?: Parent;
  /** Of the builder's workers only this one is to build it. */
  readonly worker?: string;
  /** Until then it is given no worker: a pause before it is tried again. */
  readonly notBeforeMs?: number;
  /** It waits no longer than until then. */
  readonly deadlineMs?: number;
  readonly cause?: RequestCause;
  /** The newer request that is built in its place. */
  readonly collapsedInto?: number;
  /** Of the source of a fork: whether somebody has approved its revision. */
  readonly approval?: 'needed' | 'given';
}

/** Why a request waits again, or has ended otherwise than with a build of its own. */
export type RequestCause =
  /** Its newest build is tried again: its worker was lost, it ended as an exception, or as a failure. */
  | RetryCause
  /** It has ended: a newer request is built in its place, or took its place; another one of its set failed, and the rest was cancelled. */
  | 'collapsed'
  | 'superseded'
  | 'rest'
  /** It waited too long; what it depends on failed; somebody stopped it; its builder's `buildIf` said no. */
  | 'deadline'
  | 'upstream'
  | 'stopped'
  | 'unwanted';

export type RetryCause = 'lost' | 'exception' | 'failure';

/** A request with more builds than this is not retried any more: whatever is lost each time, it is not by chance. */
export const MAX_BUILDS_OF_A_REQUEST = 10;
