import type { BuildRequest } from '../../model/build-request.ts';
import type { NewBuildSet } from '../store.ts';
import { StoreError } from '../store.ts';
import type { SqlValue } from './connection.ts';
import type { Transaction } from './batch-writer.ts';
import { placeOf } from './parents.ts';
import { orNull } from './row.ts';
import { addSource } from './source-stamps.ts';

const COLUMNS = [
  'source_stamp_id',
  'reason',
  'owner',
  'properties',
  'property_sources',
  'priority',
  'submitted_at_ms',
  'rank_at_ms',
  'parent_build_id',
  'parent_key',
  'parent_waits',
  'only_worker',
  'project',
  'scheduler',
] as const;
const ADD_SET = `INSERT INTO build_sets (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')}) RETURNING id`;
const ADD = `INSERT INTO build_requests (build_set_id, project, builder, state) VALUES (?, ?, ?, 'pending') RETURNING id`;

/** A build set with a request per builder, as a part of a transaction. */
export async function addBuildSet(
  transaction: Transaction,
  set: NewBuildSet,
): Promise<{ readonly id: number; readonly requests: readonly BuildRequest[] }> {
  const { scheduler, source, reason, owner, properties, propertySources, atMs, parent, worker } = set;
  const { priority, rankAtMs } = await placeOf(transaction, set);
  const values: Readonly<Record<(typeof COLUMNS)[number], SqlValue>> = {
    source_stamp_id: await addSource(transaction, source),
    reason,
    owner,
    properties: JSON.stringify(properties),
    property_sources: propertySources ? JSON.stringify(propertySources) : null,
    priority,
    submitted_at_ms: atMs,
    rank_at_ms: rankAtMs,
    parent_build_id: orNull(parent?.buildId),
    parent_key: orNull(parent?.key),
    parent_waits: parent ? Number(parent.waits) : null,
    only_worker: orNull(worker),
    project: orNull(set.builders[0]?.project),
    scheduler: orNull(scheduler),
  };
  const id = await idOf(transaction, ADD_SET, ...COLUMNS.map((column) => values[column]));
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
      ...(scheduler !== undefined && { scheduler }),
      source,
      properties,
      submittedAtMs: atMs,
      rankAtMs,
      ...(propertySources && { propertySources }),
      ...(parent && { parent: { buildId: parent.buildId, waits: parent.waits } }),
      ...(worker !== undefined && { worker }),
    });
  }
  return { id, requests };
}

async function idOf(transaction: Transaction, sql: string, ...values: readonly SqlValue[]): Promise<number> {
  const row = await transaction.returning<{ id: number }>(sql, ...values);
  if (!row) throw new StoreError('conflict', 'a row was not stored');
  return row.id;
}
