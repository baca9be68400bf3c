import { StoreError } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import { endRequest } from './end-request.ts';
import { freeLocks } from './lock-claims.ts';
import { freeSeat } from './seats.ts';
import { noteVirtualBuilder } from './virtual-builders.ts';

const NUMBER = 'SELECT max(number) AS last FROM builds WHERE project = ? AND builder = ? AND number > 0';
const CHECKED = `SELECT project, builder, worker, request_id AS requestId, stop_reason AS stopReason FROM builds
  WHERE id = ? AND state = 'running' AND number < 0`;
const PASS = 'UPDATE builds SET number = ?, started_at_ms = ? WHERE id = ?';
const LOGS = 'SELECT id FROM logs WHERE build_id = ?';
const UNCOUNT =
  'UPDATE workers SET term_given = term_given - 1 WHERE name = ? AND term_builds IS NOT NULL AND term_given > 0';
const WAIT_AGAIN = `UPDATE build_requests SET state = 'pending' WHERE id = ? AND state = 'claimed'`;

interface CheckedRow {
  readonly project: string;
  readonly builder: string;
  readonly worker: string;
  readonly requestId: number;
  readonly stopReason: string | null;
}

/** A build that is being checked has no number yet: what stands in its place is not seen, and no other build of its builder has it. */
export function numberOfCheck(requestId: number): number {
  return -requestId;
}

export async function nextNumber(transaction: Transaction, project: string, builder: string): Promise<number> {
  const row = await transaction.get<{ last: number | null }>(NUMBER, project, builder);
  return (row?.last ?? 0) + 1;
}

/** See `BuildStore.passCheck`; resolves to the logs that went. */
export async function passCheck(
  transaction: Transaction,
  id: number,
  atMs: number,
): Promise<readonly number[] | undefined> {
  const build = await checked(transaction, id);
  if (build.stopReason !== null) return undefined;
  const logs = await dropRecords(transaction, id);
  await transaction.run(PASS, await nextNumber(transaction, build.project, build.builder), atMs, id);
  await noteVirtualBuilder(transaction, id);
  return logs;
}

/** See `BuildStore.giveBack`; resolves to the logs that went. */
export async function giveBack(transaction: Transaction, id: number, atMs: number): Promise<readonly number[]> {
  const { requestId, worker, stopReason } = await checked(transaction, id);
  const logs = await dropRecords(transaction, id);
  await freeSeat(transaction, id);
  await freeLocks(transaction, { buildId: id });
  for (const table of ['steps', 'properties']) await transaction.run(`DELETE FROM ${table} WHERE build_id = ?`, id);
  await transaction.run('DELETE FROM builds WHERE id = ?', id);
  await transaction.run(UNCOUNT, worker);
  if (stopReason === null) await transaction.run(WAIT_AGAIN, requestId);
  else await endRequest(transaction, requestId, 'claimed', { result: 'cancelled', summary: stopReason }, atMs);
  return logs;
}

async function checked(transaction: Transaction, id: number): Promise<CheckedRow> {
  const build = await transaction.get<CheckedRow>(CHECKED, id);
  if (!build) throw new StoreError('not-found', `there is no build ${id} that is being checked`);
  return build;
}

/** What the check asked of the worker, which is all that there is of the build. */
async function dropRecords(transaction: Transaction, id: number): Promise<readonly number[]> {
  const logs = (await transaction.all<{ id: number }>(LOGS, id)).map((log) => log.id);
  for (const log of logs) {
    for (const table of ['log_chunks', 'log_extents'])
      await transaction.run(`DELETE FROM ${table} WHERE log_id = ?`, log);
  }
  for (const table of ['logs', 'commands']) await transaction.run(`DELETE FROM ${table} WHERE build_id = ?`, id);
  return logs;
}
