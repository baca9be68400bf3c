import { GiB, MiB } from '../../protocol/limits.ts';

/** What a worker's disk lends to output that the master has not stored yet. */
export interface KeeperLimits {
  /** Output is written to files of this size; a whole one is deleted when it is acknowledged. */
  readonly segmentBytes: number;
  /**
   * Unacknowledged output of one command; beyond it the command blocks in write(). At least one segment. The tail of a log
   * beyond its limit comes on top: two segments more than the tail at most.
   */
  readonly commandBytes: number;
  /** The same for all commands of a worker, again without such tails: they end with their commands, not with the master's word. */
  readonly workerBytes: number;
  /** With less free disk than this no command's output is read. */
  readonly freeBytes: number;
  /** Output is read for so long after the main process ended, if others hold it open. */
  readonly drainMs: number;
  /** From KILL to giving up: a process in an uninterruptible wait (a dead network disk) cannot be ended. */
  readonly endMs: number;
}

export const KEEPER_LIMITS: KeeperLimits = {
  segmentBytes: 8 * MiB,
  commandBytes: 64 * MiB,
  workerBytes: 4 * GiB,
  freeBytes: 512 * MiB,
  drainMs: 5_000,
  endMs: 60_000,
};
