import type { Parent } from '../../model/build-request.ts';
import type { NewBuildSet } from '../store.ts';
import { StoreError } from '../store.ts';
import type { Transaction } from './batch-writer.ts';

/** The columns of who asked, whose table is `s` in the query. */
export const PARENT_COLUMNS = `s.parent_build_id AS parentBuildId, s.parent_waits AS parentWaits`;
const PLACE = `SELECT s.priority, coalesce(r.rank_at_ms, s.rank_at_ms, s.submitted_at_ms) AS rankAtMs FROM builds b
    JOIN build_requests r ON r.id = b.request_id JOIN build_sets s ON s.id = r.build_set_id
  WHERE b.id = ? AND b.state = 'running'`;

export interface ParentRow {
  readonly parentBuildId: number | null;
  readonly parentWaits: number | null;
}

/** The parent of a row, and what else is in the row. */
export function splitParent<T extends ParentRow>(row: T): [{ readonly parent?: Parent }, Omit<T, keyof ParentRow>] {
  const { parentBuildId, parentWaits, ...rest } = row;
  return [parentBuildId === null ? {} : { parent: { buildId: parentBuildId, waits: parentWaits === 1 } }, rest];
}

/**
 * The place of a new set in the queue: its own, or the parent's if that waits for it, so that nobody who came later goes before
 * what an earlier one needs. Rejects with `lost-claim` when the parent has ended: nothing is begun for it any more.
 */
export async function placeOf(
  transaction: Transaction,
  { parent, priority, atMs }: Pick<NewBuildSet, 'parent' | 'priority' | 'atMs'>,
): Promise<{ readonly priority: number; readonly rankAtMs: number }> {
  const own = { priority, rankAtMs: atMs };
  if (!parent) return own;
  const place = await transaction.get<typeof own>(PLACE, parent.buildId);
  if (!place) throw new StoreError('lost-claim', `build ${parent.buildId} has ended: nothing is triggered for it`);
  return parent.waits ? place : own;
}

const OF_CALL = `SELECT r.id FROM build_sets s JOIN build_requests r ON r.build_set_id = s.id
  WHERE s.parent_build_id = ? AND s.parent_key = ? ORDER BY r.id`;

/** Ids of what a call has asked for already, in an earlier run of its step. */
export async function triggeredBefore(
  rows: Pick<Transaction, 'all'>,
  { buildId, key }: { readonly buildId: number; readonly key: string },
): Promise<readonly number[]> {
  return (await rows.all<{ id: number }>(OF_CALL, buildId, key)).map(({ id }) => id);
}
