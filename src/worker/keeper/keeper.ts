import type { Cancel } from '../../base/clock.ts';
import type { Moment } from '../../base/moment.ts';
import type { Outcome } from '../../protocol/messages.ts';
import type { HeldBack } from './held-back.ts';
import type { HeldOutput } from '../../protocol/resume.ts';

/** A process to run, all decided: absolute folder, whole environment. */
export interface KeeperSpec {
  readonly command: string;
  readonly session: string;
  readonly fence: number;
  readonly argv: readonly string[];
  /** The session's, absolute: see `folderOf`. */
  readonly folder: string;
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array;
  readonly silenceMs?: number;
  readonly totalMs?: number;
  readonly killAfterMs: number;
  /** Ended when the worker was out of the master's sight for so long, see `seen`; refused when that is so already. */
  readonly leaseMs?: number;
  /** Of longer output only the head and the tail are kept; absent: all. */
  readonly logMaxBytes?: number;
  /** Secrets: no byte that `read` gives out, and no message, shows them. */
  readonly masks?: readonly Uint8Array[];
}

/** What the keeper's files say of a command. Output on disk: [outputStart, outputEnd), but what the `cap` left out. */
export interface HeldCommand extends HeldOutput {
  readonly command: string;
  readonly session: string;
  readonly fence: number;
  /** When finished; then outputEnd is final. */
  readonly outcome?: Outcome;
}

/**
 * The daemon's hold on the processes that keepers run. Files are the truth; the socket to the keeper only carries orders and
 * wake-ups, so every method works over a keeper that died, and tells so by the command's outcome `unknown`.
 */
export interface Keeper {
  /**
   * Starts at most once per command id: resolves when the claim is on disk and the process runs or was refused (the outcome
   * says why: no such program, no such folder). For an id that is there already it does nothing.
   */
  start(spec: KeeperSpec): Promise<void>;
  /** TERM, then KILL after the spec's delay, to everything of it. Resolves when the order is with the keeper. */
  interrupt(command: string, reason: string): Promise<void>;
  /**
   * Kills what runs, then drops the spool, once no process is left: also what could not be killed in time is waited for, for
   * ever. Resolves when the command's folder is gone, or the keeper closed; nothing to do is no error.
   */
  forget(command: string): Promise<void>;
  list(): Promise<readonly HeldCommand[]>;
  find(command: string): Promise<HeldCommand | undefined>;
  /** The session's folder of a command that is held; undefined for one that is not. */
  folderOf(command: string): string | undefined;
  /** Of a command that runs: its main process, if it lives. Of one that ended: those that could not be ended and live. */
  pidsOf(command: string): readonly number[];
  /** Raises a held command's fence, on disk. */
  setFence(command: string, fence: number): Promise<void>;
  /** Changes a running command's lease; undefined: it has none any more. Holds also when the daemon dies. */
  setLease(command: string, leaseMs: number | undefined): Promise<void>;
  /** No lease is shorter than this one from now on, also after a restart. Resolves when it is on disk. */
  raiseLeastLease(leaseMs: number): Promise<void>;
  /** Each lease is as long as it is again. */
  dropLeastLease(): Promise<void>;
  /** The master has answered what was sent at that moment: all leases count from there. The next ping follows within `pingMs`. */
  seen(sentAt: Moment, pingMs: number): void;
  /** Up to `maxBytes` of output from `offset`; fewer at a segment's end, none when there is none yet, or none that may be shown. A copy. */
  read(command: string, offset: number, maxBytes: number): Promise<Uint8Array>;
  /** Output below `offset` is stored by the master: whole segments below are deleted, and room is made for more. */
  acknowledge(command: string, offset: number): Promise<void>;
  /** There is more output of this command, or it finished. May come too often, never too seldom. */
  onProgress(listener: (command: string) => void): Cancel;
  /** Commands that wait because their output is not read for now. */
  heldBack(): HeldBack;
  onHeldBack(listener: (held: HeldBack) => void): Cancel;
  /** Bytes of output on disk in all. */
  spoolBytes(): number;
  /** Lets go of the keepers and leaves them running. */
  close(): Promise<void>;
}
