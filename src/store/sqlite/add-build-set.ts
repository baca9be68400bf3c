import type { BuildRequest } from '../../model/build-request.ts';
import type { Origin, SchedulerRules } from '../../model/request-rules.ts';
import type { NewBuildSet } from '../store.ts';
import { StoreError } from '../store.ts';
import type { SqlValue } from './connection.ts';
import type { Transaction } from './batch-writer.ts';
import { trustOf } from './approvals.ts';
import { placeOf } from './parents.ts';
import { laneOf, takePlaces } from './lanes.ts';
import { builderRules, schedulerRules } from './request-rules.ts';
import { orNull } from './row.ts';
import { addSource } from './source-stamps.ts';
import { waitForUpstreams } from './upstreams.ts';

const COLUMNS = [
  'source_stamp_id',
  'reason',
  'owner',
  'properties',
  'property_sources',
  'priority',
  'origin',
  'cancel_rest',
  'submitted_at_ms',
  'rank_at_ms',
  'parent_build_id',
  'parent_key',
  'parent_waits',
  'only_worker',
  'rebuilt_of',
  'project',
  'scheduler',
  'approval',
  'external_id',
] as const;
const ADD_SET = `INSERT INTO build_sets (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')}) RETURNING id`;
/** With those of the requests that it was built in place of. */
const CHANGES_OF = `SELECT DISTINCT l.change_id AS id FROM builds b
    JOIN build_requests r ON r.id = b.request_id OR r.collapsed_into = b.request_id
    JOIN build_set_changes l ON l.build_set_id = r.build_set_id
  WHERE b.id = ? ORDER BY l.change_id`;
const LINK = 'INSERT INTO build_set_changes (build_set_id, change_id) SELECT ?, value FROM json_each(?)';
const ADD = `INSERT INTO build_requests (
    build_set_id,
    project,
    builder,
    lane,
    deadline_ms,
    state
  ) VALUES (?, ?, ?, ?, ?, 'pending') RETURNING id`;

/**
 * A build set with a request per builder, and the changes that it is made for (ids, the newest last), as a part of a
 * transaction; what its requests take the place of ends in the same one.
 */
export async function addBuildSet(
  transaction: Transaction,
  set: NewBuildSet,
  given: readonly number[] = [],
): Promise<{ readonly id: number; readonly requests: readonly BuildRequest[] }> {
  const { scheduler, reason, owner, propertySources, atMs, parent, worker } = set;
  const changes = set.changesOf === undefined ? given : await changesOfBuild(transaction, set.changesOf);
  const { priority, rankAtMs } = await placeOf(transaction, set);
  const { source, approval } = await trustOf(transaction, set);
  const properties = JSON.stringify(set.properties);
  const ofScheduler = await rulesOfScheduler(transaction, set);
  const origin = originOf(set, ofScheduler, changes);
  const values: Readonly<Record<(typeof COLUMNS)[number], SqlValue>> = {
    source_stamp_id: await addSource(transaction, source),
    reason,
    owner,
    properties,
    property_sources: propertySources ? JSON.stringify(propertySources) : null,
    priority,
    origin,
    cancel_rest: ofScheduler?.cancelsRest ? 1 : 0,
    submitted_at_ms: atMs,
    rank_at_ms: rankAtMs,
    parent_build_id: orNull(parent?.buildId),
    parent_key: orNull(parent?.key),
    parent_waits: parent ? Number(parent.waits) : null,
    only_worker: orNull(worker),
    rebuilt_of: orNull(set.rebuiltOf),
    project: orNull(set.builders[0]?.project),
    scheduler: orNull(scheduler),
    approval: orNull(approval),
    external_id: orNull(set.externalId),
  };
  const id = await idOf(transaction, ADD_SET, ...COLUMNS.map((column) => values[column]));
  if (changes.length > 0) await transaction.run(LINK, id, JSON.stringify(changes));
  const requests: BuildRequest[] = [];
  for (const { project, builder } of set.builders) {
    const rules = await builderRules(transaction, project, builder);
    const queueForMs = ofScheduler?.queueForMs ?? rules.queueForMs;
    const deadlineMs = queueForMs === undefined ? undefined : atMs + queueForMs;
    const lane = laneOf({ ...set, source, project, builder, origin });
    const request = await idOf(transaction, ADD, id, project, builder, orNull(lane), orNull(deadlineMs));
    if (lane !== undefined) {
      const change = changes.at(-1);
      const newcomer = { id: request, project, builder, origin, source, properties, change };
      await takePlaces(transaction, lane, rules, newcomer, atMs);
    }
    if (origin === 'change' || origin === 'time') await waitForUpstreams(transaction, request, rules);
    requests.push({
      id: request,
      buildSetId: id,
      project,
      builder,
      priority,
      reason,
      owner,
      ...(scheduler !== undefined && { scheduler }),
      ...(set.externalId !== undefined && { externalId: set.externalId }),
      source,
      properties: set.properties,
      submittedAtMs: atMs,
      rankAtMs,
      ...(propertySources && { propertySources }),
      ...(parent && { parent: { buildId: parent.buildId, waits: parent.waits } }),
      ...(worker !== undefined && { worker }),
      ...(deadlineMs !== undefined && { deadlineMs }),
      ...(approval !== undefined && { approval }),
    });
  }
  return { id, requests };
}

async function changesOfBuild(transaction: Transaction, build: number): Promise<readonly number[]> {
  return (await transaction.all<{ id: number }>(CHANGES_OF, build)).map(({ id }) => id);
}

async function rulesOfScheduler(
  transaction: Transaction,
  { scheduler, builders }: NewBuildSet,
): Promise<SchedulerRules | undefined> {
  const project = builders[0]?.project;
  if (scheduler === undefined || project === undefined) return undefined;
  return await schedulerRules(transaction, project, scheduler);
}

function originOf(set: NewBuildSet, ofScheduler: SchedulerRules | undefined, changes: readonly number[]): Origin {
  if (set.source.patch || set.rebuiltOf !== undefined) return 'person';
  if (set.parent) return 'build';
  return ofScheduler?.origin ?? (changes.length > 0 ? 'change' : 'person');
}

async function idOf(transaction: Transaction, sql: string, ...values: readonly SqlValue[]): Promise<number> {
  const row = await transaction.returning<{ id: number }>(sql, ...values);
  if (!row) throw new StoreError('conflict', 'a row was not stored');
  return row.id;
}
