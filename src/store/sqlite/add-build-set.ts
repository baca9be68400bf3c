import type { BuildRequest } from '../../model/build-request.ts';
import type { NewBuildSet } from '../store.ts';
import { StoreError } from '../store.ts';
import type { SqlValue } from './connection.ts';
import type { Transaction } from './batch-writer.ts';
import { addSource } from './source-stamps.ts';

const ADD_SET = `INSERT INTO build_sets (source_stamp_id, reason, owner, properties, priority, submitted_at_ms)
  VALUES (?, ?, ?, ?, ?, ?) RETURNING id`;
const ADD = `INSERT INTO build_requests (build_set_id, project, builder, state) VALUES (?, ?, ?, 'pending') RETURNING id`;

/** A build set with a request per builder, as a part of a transaction. */
export async function addBuildSet(
  transaction: Transaction,
  set: NewBuildSet,
): Promise<{ readonly id: number; readonly requests: readonly BuildRequest[] }> {
  const { source, reason, owner, priority, properties, atMs } = set;
  const stamp = await addSource(transaction, source);
  const id = await idOf(transaction, ADD_SET, stamp, reason, owner, JSON.stringify(properties), priority, atMs);
  const requests: BuildRequest[] = [];
  for (const { project, builder } of set.builders) {
    requests.push({
      id: await idOf(transaction, ADD, id, project, builder),
      buildSetId: id,
      project,
      builder,
      priority,
      reason,
      owner,
      source,
      properties,
      submittedAtMs: atMs,
    });
  }
  return { id, requests };
}

async function idOf(transaction: Transaction, sql: string, ...values: readonly SqlValue[]): Promise<number> {
  const row = await transaction.returning<{ id: number }>(sql, ...values);
  if (!row) throw new StoreError('conflict', 'a row was not stored');
  return row.id;
}
