import { join } from 'node:path';
import { errorText } from '../../base/errors.ts';
import type { Moment } from '../../base/moment.ts';
import type { Claim } from './command-files.ts';
import { readLease, readLeastLease } from './lease-files.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { readSight } from './sight.ts';
import type { Sight } from './sight.ts';

/** For a ping and its answer, over the time to the next ping, when only the wall clock says that a lease is over. */
const DOUBT_SLACK_MS = 10_000;

interface Watched {
  readonly claim: Pick<Claim, 'leaseMs'>;
  readonly claimedAt: Moment;
  leaseMs: number | undefined;
  /** By the boot clock: since when only the wall clock says that the lease is over. */
  doubtedAtMs: number | undefined;
}

/** From TERM to KILL at most, for who is out of the master's sight: it counts on the end. */
const KILL_AFTER_MS = 10_000;
/** Of a short lease no more than this part of it: the grace is longer than such a lease by half of it, see `leaseOf`. */
const KILL_AFTER_SHARE = 1 / 4;

/** A command whose lease is over. */
export interface Overdue {
  readonly command: string;
  /** From TERM to KILL, if the command does not give less. */
  readonly killAfterMs: number;
  /** For people. */
  readonly message: string;
}

/**
 * Tells which of a keeper's commands have been out of the master's sight for longer than their lease. The daemon writes when
 * the master has seen it last, and what the leases are; while it writes nothing, for whatever reason, the time runs on.
 *
 * The time is told by the clock that counts from the machine's start, its sleep included. The wall clock may know of more: of a machine
 * that was frozen from outside. It may also just have been set forward, while the master sees the worker as before. So
 * what it alone says counts when the next ping is not answered.
 */
export class LeaseWatch {
  readonly #spoolDir: string;
  readonly #now: () => Moment;
  readonly #warn: (message: string) => void;
  readonly #watched = new Map<string, Watched>();
  /** The last one that could be read: should the file vanish, the time counts on from there. */
  #sight: Sight | undefined;
  #leastMs = 0;

  constructor(spoolDir: string, now: () => Moment, warn: (message: string) => void) {
    this.#spoolDir = spoolDir;
    this.#now = now;
    this.#warn = warn;
  }

  /** `claimedAt` stands in for the sight when there is none. */
  add(claim: Pick<Claim, 'command' | 'leaseMs'>, claimedAt: Moment): void {
    this.#watched.set(claim.command, { claim, claimedAt, leaseMs: claim.leaseMs, doubtedAtMs: undefined });
  }

  delete(command: string): void {
    this.#watched.delete(command);
  }

  /** Reads what the daemon wrote. To be called now and then: a lease may have become shorter. */
  read(): void {
    if (this.#watched.size === 0) return;
    this.#readSight();
    for (const [command, watched] of this.#watched) this.#readLease(command, watched);
  }

  /** Whether the lease of a command is over, by what is on disk now. */
  overdue(command: string): Overdue | undefined {
    const watched = this.#watched.get(command);
    if (!watched) return undefined;
    this.#readSight();
    this.#readLease(command, watched);
    return this.#judge(command, watched, this.#now());
  }

  /** All whose lease is over. Looks at the disk only for one that seems to be. */
  listOverdue(): Overdue[] {
    const now = this.#now();
    return Array.from(this.#watched).flatMap(([command, watched]) =>
      this.#judge(command, watched, now) ? (this.overdue(command) ?? []) : [],
    );
  }

  #judge(command: string, watched: Watched, now: Moment): Overdue | undefined {
    if (watched.leaseMs === undefined) return undefined;
    const from = this.#sight ?? watched.claimedAt;
    const boundMs = Math.max(watched.leaseMs, this.#leastMs);
    const [bootMs, wallMs] = [now.bootMs - from.bootMs, now.wallMs - from.wallMs];
    if (bootMs < boundMs && wallMs < boundMs) {
      watched.doubtedAtMs = undefined;
      return undefined;
    }
    if (bootMs < boundMs && this.#isInDoubt(watched, from, now)) return undefined;
    const [unseen, bound] = [Math.max(bootMs, wallMs), boundMs].map((ms) => `${(ms / 1_000).toFixed(1)} s`);
    const message = `the worker was out of the master's sight for ${unseen}, longer than its lease of ${bound}`;
    return { command, message, killAfterMs: Math.min(KILL_AFTER_MS, boundMs * KILL_AFTER_SHARE) };
  }

  /** The next ping may still be answered. One that was sent since then begins the doubt anew. */
  #isInDoubt(watched: Watched, from: Moment, now: Moment): boolean {
    if (watched.doubtedAtMs === undefined || from.bootMs > watched.doubtedAtMs) watched.doubtedAtMs = now.bootMs;
    const pingMs = this.#sight?.pingMs ?? LIMITS.heartbeatMs;
    return now.bootMs - watched.doubtedAtMs < pingMs + DOUBT_SLACK_MS;
  }

  #readSight(): void {
    this.#try('when the master saw the worker last', () => {
      this.#sight = readSight(this.#spoolDir) ?? this.#sight;
      this.#leastMs = readLeastLease(this.#spoolDir) ?? 0;
    });
  }

  #readLease(command: string, watched: Watched): void {
    this.#try(`the lease of ${command}`, () => {
      watched.leaseMs = readLease(join(this.#spoolDir, command), watched.claim);
    });
  }

  /** What was read last holds until it can be read again. */
  #try(what: string, read: () => void): void {
    try {
      read();
    } catch (error) {
      this.#warn(`${what} cannot be read: ${errorText(error)}`);
    }
  }
}
