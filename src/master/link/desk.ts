import type { Cancel } from '../../base/clock.ts';
import type { Seat } from '../../model/worker.ts';
import type { Vitals } from '../../transport/link.ts';
import type { CommandSpec, Outcome } from '../../protocol/messages.ts';

/** A command that a build wants run. */
export interface CommandOrder {
  /** `UID.STEP.KEY`; starting it twice is the same as once. */
  readonly command: string;
  readonly seat: Seat;
  readonly spec: CommandSpec;
  /** The worker ends it when it was out of the master's sight for so long; absent: never. */
  readonly leaseMs?: number;
  /** The log its output goes to, when it has one. */
  readonly logId?: number;
  /** So much of its output is kept; absent: `LIMITS.logBytes`. */
  readonly logMaxBytes?: number;
  /** Start it on this boot of the worker's machine only; on another it is refused unstarted. */
  readonly bootId?: string;
  /** What its output must not show: started only on a worker that can mask it. */
  readonly masks?: readonly Uint8Array[];
  /** put: the file to send. get: where the file is put when all of it is there. On the master's disk. */
  readonly file?: string;
}

/**
 * The master's side of all workers. It outlives connections: an order stands until its outcome is here, whatever happens to
 * the line, the worker daemon or (by being given again by a restarted master) the master.
 */
export interface WorkerDesk {
  /** Names of the workers that are attached now. */
  connected(): ReadonlySet<string>;
  /** The boot of the machine of a worker that is attached now. */
  bootId(worker: string): string | undefined;
  /** A worker that is attached now masks secrets in what it sends. */
  canMask(worker: string): boolean;
  /** When a byte of the worker came last, by the monotonic clock; when this master began, if none came since. */
  heardAtMs(worker: string): number;
  /** So long the worker may hold commands out of sight, beyond the leases of their builds. */
  heldMs(worker: string): number;
  /** What the worker told of itself last; undefined when it is not connected. */
  vitals(worker: string): Vitals | undefined;
  /** A worker came or went. */
  onChange(listener: (worker: string) => void): Cancel;
  /**
   * Sees to it that the command is started once, and resolves with its outcome when the outcome is here and all its output is
   * stored. Waits for a worker that is away. The caller stores the outcome, then calls `forget`. Rejects with the signal's
   * reason when it is aborted (the master stops): the command goes on.
   */
  run(order: CommandOrder, signal: AbortSignal): Promise<Outcome>;
  /** Asks for its end; also when the worker comes back. Its `run` resolves as ever. */
  interrupt(command: string, reason: string): void;
  /** The outcome is stored: the worker may drop what it holds. */
  forget(command: string): void;
  /** Tells of the seat before its first command of a build; with the fence of this build. */
  openSeat(seat: Seat): void;
  /** The build that had the seat with this fence is over, in the store too: its folder may go when room is needed. */
  idleSeat(worker: string, session: string, fence: number): void;
  /** The seat is idle for long: the worker gives its channel up. */
  closeSeat(session: string): void;
  /** Ends all connections with a goodbye that asks the workers to come back soon. */
  close(message: string): Promise<void>;
}
