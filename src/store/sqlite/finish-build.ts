import type { RetryCause } from '../../model/build-request.ts';
import type { Result } from '../../model/result.ts';
import { pauseBefore, retryCause } from '../../model/retry.ts';
import type { RetryRules } from '../../model/retry.ts';
import type { Transaction } from './batch-writer.ts';
import { endChildren, endRequest } from './end-request.ts';
import { freeLocks } from './lock-claims.ts';
import { orNull } from './row.ts';
import { freeSeat } from './seats.ts';

const RUNNING = `SELECT stop_reason AS stopReason, request_id AS requestId,
    EXISTS (SELECT 1 FROM lock_claims WHERE build_id = b.id) OR EXISTS (SELECT 1 FROM lock_waits WHERE build_id = b.id) AS hasLocks
  FROM builds b WHERE id = ? AND state = 'running'`;
/** No end before its beginning, also when the wall clock was put back in between. */
const FINISH = `UPDATE builds SET state = 'finished', result = ?, summary = ?, retry_cause = ?, finished_at_ms = max(started_at_ms, ?)
  WHERE id = ?`;
const RETRIES = `SELECT retry_cause AS cause, count(*) AS n FROM builds WHERE request_id = ? AND retry_cause IS NOT NULL
  GROUP BY retry_cause`;
/** Its time in the queue counts anew: it is as long as it was from its beginning, or from when it was last tried again. */
const REQUEUE = `UPDATE build_requests SET state = 'pending', cause = ?1, not_before_ms = ?2,
    deadline_ms = ?3 + deadline_ms - coalesce(
      not_before_ms,
      (SELECT max(b.finished_at_ms) FROM builds b WHERE b.request_id = ?4 AND b.retry_cause IS NOT NULL AND b.id <> ?5),
      (SELECT s.submitted_at_ms FROM build_sets s WHERE s.id = build_set_id))
  WHERE id = ?4`;

interface RunningRow {
  readonly stopReason: string | null;
  readonly requestId: number;
  readonly hasLocks: 0 | 1;
}

export interface BuildEnd {
  readonly result: Result;
  readonly summary: string | undefined;
  readonly retry: RetryRules;
}

/** See `BuildStore.finish`. Resolves to false when no such build runs. */
export async function finishBuild(transaction: Transaction, id: number, end: BuildEnd, atMs: number): Promise<boolean> {
  const build = await transaction.get<RunningRow>(RUNNING, id);
  if (!build) return false;
  const { stopReason, requestId, hasLocks } = build;
  const { result, summary, again } = await endOf(transaction, requestId, stopReason, end);
  await transaction.run(FINISH, again ? 'retry' : result, summary, orNull(again?.cause), atMs, id);
  if (again) {
    const notBeforeMs = atMs + again.pauseMs;
    await transaction.run(REQUEUE, again.cause, again.pauseMs > 0 ? notBeforeMs : null, notBeforeMs, requestId, id);
  } else await endRequest(transaction, requestId, 'claimed', { result }, atMs);
  await freeSeat(transaction, id);
  if (hasLocks === 1) await freeLocks(transaction, { buildId: id });
  await endChildren(transaction, id, `has ended: ${again ? 'retry' : result}`, atMs);
  return true;
}

interface Ending {
  readonly result: Result;
  readonly summary: string | null;
  readonly again?: { readonly cause: RetryCause; readonly pauseMs: number };
}

async function endOf(
  transaction: Transaction,
  requestId: number,
  stopReason: string | null,
  { result, summary, retry }: BuildEnd,
): Promise<Ending> {
  const told = orNull(summary);
  const cause = retryCause(result);
  if (cause === undefined) return { result, summary: told };
  // Someone may have wanted its end since the build made up its mind: so has a parent that waited for it and has ended.
  if (stopReason !== null)
    return result === 'retry' ? { result: 'cancelled', summary: stopReason } : { result, summary: told };
  const retries = { lost: 0, exception: 0, failure: 0 };
  const rows = await transaction.all<{ cause: RetryCause; n: number }>(RETRIES, requestId);
  for (const { cause: one, n } of rows) retries[one] = n;
  const pauseMs = pauseBefore(retry, cause, retries);
  if (pauseMs !== undefined) {
    const count = `retried: ${cause} ${retries[cause] + 1} of ${retry[cause]}`;
    return { result, summary: cause === 'lost' ? told : join(told, count), again: { cause, pauseMs } };
  }
  if (cause !== 'lost' && retry[cause] === 0) return { result, summary: told };
  const builds = 1 + retries.lost + retries.exception + retries.failure;
  return { result, summary: join(told, `not retried again: the request has had ${builds} builds`) };
}

function join(summary: string | null, more: string): string {
  return summary === null ? more : `${summary}; ${more}`;
}
