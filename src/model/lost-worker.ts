/**
 * What becomes of the builds of a worker that is lost, in numbers. The worker ends a command by itself when it was out of the
 * master's sight for the command's lease; the master starts the work elsewhere when it heard nothing of the worker for the
 * grace, which is longer by a margin: so never two at once (docs/decisions/0010-a-worker-that-is-lost.md).
 */

/** `wait`: a build goes on when its worker is back, however long that takes. */
export type WhenWorkerLost = 'wait' | { readonly retryAfterMs: number };

/** Between two pings of each side, if the configuration says nothing. */
export const HEARTBEAT_MS = 15_000;
export const SHORTEST_HEARTBEAT_MS = 1_000;
export const LONGEST_HEARTBEAT_MS = 60_000;
/** A peer that is silent for so many is dead. */
export const DEAD_AFTER_HEARTBEATS = 3;
/** A grace is at least so many, so that a worker is known to be away before its builds are given up. */
export const GRACE_HEARTBEATS = 4;
export const WHEN_WORKER_LOST: WhenWorkerLost = { retryAfterMs: 30 * 60_000 };
/** What a worker may need, at most, to end a command: TERM, KILL 10 s later, and a machine that is busy with much else. */
const LONGEST_MARGIN_MS = 60_000;

/** How long the worker may hold a command of such a build out of the master's sight; undefined: for ever. */
export function leaseOf(rule: WhenWorkerLost): number | undefined {
  if (rule === 'wait') return undefined;
  const { retryAfterMs } = rule;
  return Math.max(1, Math.floor(retryAfterMs - Math.min(LONGEST_MARGIN_MS, retryAfterMs / 3)));
}

/** The lease for a master that will be away for so long. */
export function leaseForAbsence(absenceMs: number): number {
  return absenceMs + LONGEST_MARGIN_MS;
}

/**
 * After so long without a word of the worker such a build is started elsewhere; undefined: never. `heldMs`: the longest lease
 * that the worker may have been given beside its builds' own.
 */
export function graceOf(rule: WhenWorkerLost, heldMs: number): number | undefined {
  if (rule === 'wait' || heldMs >= Number.MAX_SAFE_INTEGER) return undefined;
  return heldMs > 0 ? Math.max(rule.retryAfterMs, heldMs + LONGEST_MARGIN_MS) : rule.retryAfterMs;
}

/** The heartbeat of a new connection: no slower than what the leases of the builds that run there need to be renewed in time. */
export function heartbeatFor(configuredMs: number, rules: Iterable<WhenWorkerLost>): number {
  let heartbeatMs = configuredMs;
  for (const rule of rules) {
    if (rule !== 'wait') heartbeatMs = Math.min(heartbeatMs, rule.retryAfterMs / GRACE_HEARTBEATS);
  }
  return Math.max(1, Math.floor(heartbeatMs));
}
