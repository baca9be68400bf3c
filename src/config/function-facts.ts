import type { JsonObject } from '../model/json.ts';
import type { SourceStamp } from '../model/source-stamp.ts';

/** A waiting request, as functions of the configuration see it. */
export interface RequestFacts {
  readonly id: number;
  readonly project: string;
  readonly builder: string;
  readonly reason: string;
  /** Who asked: a person's name, or a scheduler's. */
  readonly owner: string;
  readonly priority: number;
  readonly source: SourceStamp;
  readonly properties: JsonObject;
  /** UTC milliseconds. */
  readonly submittedAtMs: number;
}

/** A worker, as functions of the configuration see it. */
export interface WorkerFacts {
  readonly name: string;
  readonly maxBuilds: number;
  /** Builds that are there now; in `canStartBuild` without the one that is asked about. */
  readonly running: number;
  readonly labels: Readonly<Record<string, string>>;
  /** What the worker says of its machine. */
  readonly facts: Readonly<Record<string, string>>;
  readonly host?: string;
}

/** What is handed to `canStartBuild`. */
export interface CheckFacts {
  readonly request: RequestFacts;
  readonly worker: WorkerFacts;
}
