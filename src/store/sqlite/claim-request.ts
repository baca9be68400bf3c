import { ulid } from '../../base/ulid.ts';
import type { Build, Property } from '../../model/build.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Claim } from '../store.ts';
import { StoreError } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import { addClaims, mustHaveRoom } from './lock-claims.ts';
import { PARENT_COLUMNS, splitParent } from './parents.ts';
import type { ParentRow } from './parents.ts';
import { fromJson } from './row.ts';
import { sit, takeSeat } from './seats.ts';
import { nextNumber, numberOfCheck } from './start-checks.ts';
import { SOURCE_COLUMNS, splitSource } from './source-stamps.ts';
import type { SourceRow } from './source-stamps.ts';
import { noteVirtualBuilder } from './virtual-builders.ts';

const TAKE = `UPDATE build_requests SET state = 'claimed' WHERE id = ? AND state = 'pending'
  RETURNING build_set_id AS buildSetId, project, builder`;
/** A worker that was never stored is held by nothing. */
const HELD = `SELECT 1 FROM workers WHERE name = ?
  AND (hold IS NOT NULL OR leaving_reason IS NOT NULL OR term_given >= term_builds OR aside_until_ms > ?)`;
const COUNT = 'UPDATE workers SET term_given = term_given + 1 WHERE name = ? AND term_builds IS NOT NULL';
const STATE = 'SELECT state FROM build_requests WHERE id = ?';
/** The build that waits for the end of the request's. */
const WAITING_PARENT = `SELECT p.id AS parent FROM build_requests r
    JOIN build_sets s ON s.id = r.build_set_id AND s.parent_waits = 1
    JOIN builds p ON p.id = s.parent_build_id AND p.state = 'running'
  WHERE r.id = ?`;
const BUILD_SET = `SELECT s.reason, s.owner, s.properties, s.property_sources AS propertySources, s.approval, ${PARENT_COLUMNS}, ${SOURCE_COLUMNS}
  FROM build_sets s JOIN source_stamps p ON p.id = s.source_stamp_id WHERE s.id = ?`;
const ADD_BUILD = `INSERT INTO builds
    (uid, number, request_id, project, builder, worker, session, fence, config_hash, state, started_at_ms)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?) RETURNING id`;
const ADD_STEPS = `INSERT INTO steps (build_id, step, name, state) SELECT ?, key, value, 'pending' FROM json_each(?)`;
const ADD_PROPERTIES = `INSERT INTO properties (build_id, name, value, source)
  SELECT ?, value ->> 'name', value -> 'value', value ->> 'source' FROM json_each(?)`;

interface SetRow extends SourceRow, ParentRow {
  readonly reason: string;
  readonly owner: string;
  readonly properties: string;
  readonly propertySources: string | null;
  readonly approval: string | null;
}

/** See `RequestStore.claim`: request, seat, build, locks, steps and properties together. */
export async function claimRequest(transaction: Transaction, claim: Claim): Promise<Build> {
  const { requestId, worker, configHash, locks = [], atMs } = claim;
  // Before anything is changed, so that there is nothing to undo.
  if (await transaction.get(HELD, worker, atMs)) {
    throw new StoreError('lost-claim', `worker ${worker} is given no builds any more`);
  }
  if (locks.length > 0) {
    const waiting = await transaction.get<{ parent: number }>(WAITING_PARENT, requestId);
    await mustHaveRoom(transaction, locks, { parent: waiting?.parent });
  }
  const request = await transaction.returning<{ buildSetId: number; project: string; builder: string }>(
    TAKE,
    requestId,
  );
  if (!request) throw await noLongerPending(transaction, requestId);
  const { project, builder } = request;
  const set = await transaction.get<SetRow>(BUILD_SET, request.buildSetId);
  if (!set) throw new StoreError('not-found', `build request ${requestId} has lost its build set`);
  if (set.approval === 'needed') throw new StoreError('lost-claim', `build request ${requestId} waits for approval`);
  const { session, fence } = await takeSeat(transaction, worker, project, builder, atMs);
  const number = claim.isCheck ? numberOfCheck(requestId) : await nextNumber(transaction, project, builder);
  const uid = ulid(atMs);
  const built = await transaction.returning<{ id: number }>(
    ADD_BUILD,
    uid,
    number,
    requestId,
    project,
    builder,
    worker,
    session,
    fence,
    configHash,
    atMs,
  );
  if (!built) throw new StoreError('conflict', `the build of request ${requestId} was not stored`);
  const { id } = built;
  await sit(transaction, session, id);
  await transaction.run(COUNT, worker);
  await addClaims(transaction, { buildId: id }, locks, atMs);
  await transaction.run(ADD_STEPS, id, JSON.stringify(claim.stepNames));
  await transaction.run(ADD_PROPERTIES, id, JSON.stringify(joined(set, claim.properties)));
  if (!claim.isCheck) await noteVirtualBuilder(transaction, id);
  const [source, { reason, owner, ...row }] = splitSource(set);
  return {
    id,
    uid,
    number,
    requestId,
    buildSetId: request.buildSetId,
    project,
    builder,
    worker,
    session,
    fence,
    configHash,
    state: 'running',
    reason,
    owner,
    source,
    ...splitParent(row)[0],
    startedAtMs: atMs,
  };
}

/** Why a request could not be taken from the queue. */
export async function noLongerPending(transaction: Transaction, id: number): Promise<StoreError> {
  const row = await transaction.get<{ state: string }>(STATE, id);
  if (!row) return new StoreError('not-found', `there is no build request ${id}`);
  return new StoreError('lost-claim', `build request ${id} no longer waits: it is ${row.state}`);
}

function joined(set: SetRow, properties: readonly Property[]): readonly Property[] {
  const all = new Map<string, Property>();
  const sources = (set.propertySources === null ? {} : fromJson(set.propertySources)) as Readonly<
    Record<string, string>
  >;
  for (const [name, value] of Object.entries(fromJson(set.properties) as JsonObject)) {
    all.set(name, { name, value, source: sources[name] ?? 'request' });
  }
  for (const property of properties) all.set(property.name, property);
  return Array.from(all.values());
}
