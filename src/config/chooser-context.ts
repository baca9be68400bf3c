import type { CheckFacts, RequestFacts, WorkerFacts } from './function-facts.ts';
import type { RunOptions, RunResult } from './step-context.ts';

/** True: the request is built. False, or a text that says why: it is not, and ends as skipped. */
export type BuildIf = (request: RequestFacts) => boolean | string | Promise<boolean | string>;

/** A worker that has room for a build. */
export interface FreeWorker extends WorkerFacts {
  /** The builder's newest build was there. */
  readonly isLastUsed: boolean;
}

/** Chooses one of the workers by its name; null: none of them, the request waits. */
export type NextWorker = (
  workers: readonly FreeWorker[],
  request: RequestFacts,
) => string | null | Promise<string | null>;

/** Chooses one of the builder's waiting requests by its id; null: none of them. They come in the order of the queue. */
export type NextBuild = (requests: readonly RequestFacts[]) => number | null | Promise<number | null>;

/** What `canStartBuild` works with. */
export interface CheckContext extends CheckFacts {
  /** Runs a command on the worker, in the folder of the build that may start. Of its output the first and last 32 KB are kept. */
  run(command: string | readonly string[], options?: Omit<RunOptions, 'logLimit' | 'log'>): Promise<RunResult>;
  /** UTC milliseconds. */
  now(): Promise<number>;
}

/** True: the build starts. False, or a text that says why: not now on this worker. */
export type CanStartBuild = (ctx: CheckContext) => boolean | string | Promise<boolean | string>;
