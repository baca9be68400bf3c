import type { BuildRequest } from '../../model/build-request.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Result } from '../../model/result.ts';
import type { KnownRequest, RequestStore } from '../store.ts';
import { addBuildSet } from './add-build-set.ts';
import { claimRequest, noLongerPending } from './claim-request.ts';
import type { Context } from './context.ts';
import { PARENT_COLUMNS, splitParent } from './parents.ts';
import type { ParentRow } from './parents.ts';
import { fromJson, present } from './row.ts';
import { SOURCE_COLUMNS, splitSource } from './source-stamps.ts';
import type { SourceRow } from './source-stamps.ts';

const SELECT = `SELECT r.id, r.build_set_id AS buildSetId, r.project, r.builder, s.priority, s.reason, s.owner, s.scheduler,
    s.properties, s.property_sources AS propertySources, s.submitted_at_ms AS submittedAtMs,
    coalesce(s.rank_at_ms, s.submitted_at_ms) AS rankAtMs, s.only_worker AS worker, ${PARENT_COLUMNS}, ${SOURCE_COLUMNS}, r.state, r.result,
    (SELECT max(b.id) FROM builds b WHERE b.request_id = r.id) AS buildId
  FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id JOIN source_stamps p ON p.id = s.source_stamp_id`;
const PENDING = `${SELECT} WHERE r.state = 'pending' ORDER BY r.id`;
const FIND = `${SELECT} WHERE r.id = ?`;
const PATCHES_IN_USE = `SELECT DISTINCT p.patch_id AS id FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id
    JOIN source_stamps p ON p.id = s.source_stamp_id
  WHERE r.state IN ('pending', 'claimed') AND p.patch_id IS NOT NULL`;
const CANCEL = `UPDATE build_requests SET state = 'finished', result = 'cancelled', summary = ?, finished_at_ms = ?
  WHERE id = ? AND state = 'pending'`;

interface Row extends SourceRow, ParentRow {
  readonly id: number;
  readonly buildSetId: number;
  readonly project: string;
  readonly builder: string;
  readonly priority: number;
  readonly reason: string;
  readonly owner: string;
  readonly scheduler: string | null;
  readonly properties: string;
  readonly propertySources: string | null;
  readonly submittedAtMs: number;
  readonly rankAtMs: number;
  readonly worker: string | null;
  readonly state: KnownRequest['state'];
  readonly result: Result | null;
  readonly buildId: number | null;
}

export function requestStore({ reader, writer }: Context): RequestStore {
  return {
    add(set) {
      return writer.write(async (transaction) => (await addBuildSet(transaction, set)).requests);
    },
    async pending() {
      const rows = await reader.all<Row>(PENDING);
      return rows.map((row) => ({ ...toRequest(row), ...present({ buildId: row.buildId }) }));
    },
    async find(id) {
      const row = await reader.get<Row>(FIND, id);
      return row && { ...toRequest(row), state: row.state, ...present({ buildId: row.buildId, result: row.result }) };
    },
    async patchesInUse() {
      const rows = await reader.all<{ id: string }>(PATCHES_IN_USE);
      return rows.map(({ id }) => id);
    },
    claim: (claim) => writer.write((transaction) => claimRequest(transaction, claim)),
    async cancel(id, reason, atMs) {
      await writer.write(async (transaction) => {
        if ((await transaction.run(CANCEL, reason, atMs, id)) > 0) return;
        throw await noLongerPending(transaction, id);
      });
    },
  };
}

function toRequest(row: Row): BuildRequest {
  const [source, ownRow] = splitSource(row);
  const [
    parent,
    { scheduler, properties, propertySources, worker, state: _state, result: _result, buildId: _buildId, ...rest },
  ] = splitParent(ownRow);
  return {
    ...rest,
    source,
    ...parent,
    ...present({ scheduler }),
    properties: fromJson(properties) as JsonObject,
    ...(propertySources !== null && { propertySources: fromJson(propertySources) as Record<string, string> }),
    ...(worker !== null && { worker }),
  };
}
