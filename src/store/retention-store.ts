import type { KeptBuild } from '../model/keep-rules.ts';

/** Gives up what is kept no more. Each call is one small transaction; a kill between two of them costs nothing but the rest. */
export interface RetentionStore {
  /** Those that have had builds. */
  projects(): Promise<readonly string[]>;
  /** Finished builds of a project with ids below `before`, the newest first, at most `limit`. */
  page(project: string, before: number, limit: number): Promise<readonly KeptBuild[]>;
  /** The logs of a finished build are deleted from now on, and say so; their files wait for `removeFiles`. */
  dropLogs(buildId: number, atMs: number): Promise<void>;
  /** Removes some of the files that wait, also of an earlier process; resolves to how many. */
  removeFiles(): Promise<number>;
  /**
   * Removes a finished build with all that is of it, and its request and build set with their last build. Does nothing to one that
   * is not finished, or not there, while another of its build set is not, or while the build runs that asked for it: resolves to false then.
   * Its files wait for `removeFiles`.
   */
  dropBuild(buildId: number, atMs: number): Promise<boolean>;
  /**
   * Removes requests that ended before this, of sets without a build, unless there is still what was built in their place; and
   * changes of before this that nothing waits for and no build is of, but what is known of revisions of forks. Resolves to how many.
   */
  dropUnbuilt(project: string, beforeMs: number): Promise<number>;
  /** Removes bundles that are older than this, not the active one, and of no build; resolves to how many. */
  dropConfigs(beforeMs: number): Promise<number>;
}
