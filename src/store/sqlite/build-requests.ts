import type { BuildRequest, RequestCause } from '../../model/build-request.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Result } from '../../model/result.ts';
import type { KnownRequest, RequestStore, Upstream } from '../store.ts';
import { addBuildSet } from './add-build-set.ts';
import { claimRequest, noLongerPending } from './claim-request.ts';
import type { Context } from './context.ts';
import { PARENT_COLUMNS, splitParent, triggeredBefore } from './parents.ts';
import type { ParentRow } from './parents.ts';
import { endRequest, stopSet } from './end-request.ts';
import { collapse } from './lanes.ts';
import { PendingRequests, asLines } from './pending-requests.ts';
import { fromJson, present } from './row.ts';
import type { Nullable } from './row.ts';
import { SOURCE_COLUMNS, splitSource } from './source-stamps.ts';
import type { SourceRow } from './source-stamps.ts';

const SELECT = `SELECT r.id, r.build_set_id AS buildSetId, r.project, r.builder, s.priority, s.reason, s.owner, s.scheduler,
    s.external_id AS externalId,
    s.properties,
    s.property_sources AS propertySources,
    s.submitted_at_ms AS submittedAtMs,
    coalesce(r.rank_at_ms, s.rank_at_ms, s.submitted_at_ms) AS rankAtMs,
    s.only_worker AS worker,
    s.approval,
    r.not_before_ms AS notBeforeMs,
    r.deadline_ms AS deadlineMs,
    r.collapsed_into AS collapsedInto,
    r.cause,
    ${PARENT_COLUMNS}, ${SOURCE_COLUMNS}, r.state, r.result, r.summary,
    (SELECT max(b.id) FROM builds b WHERE b.request_id = r.id) AS buildId
  FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id JOIN source_stamps p ON p.id = s.source_stamp_id`;
const PENDING = asLines(`${SELECT} WHERE r.state = 'pending' ORDER BY r.id`);
const FIND = `${SELECT} WHERE r.id = ?`;
const PATCHES_IN_USE = `SELECT DISTINCT p.patch_id AS id FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id
    JOIN source_stamps p ON p.id = s.source_stamp_id
  WHERE r.state IN ('pending', 'claimed') AND p.patch_id IS NOT NULL`;
const KNOWN = `${SELECT} WHERE r.id IN (SELECT value FROM json_each(?)) ORDER BY r.id`;
const CHILDREN = `${SELECT} WHERE s.parent_build_id = ? ORDER BY r.id`;
const OF_SET = `${SELECT} WHERE r.build_set_id = ? ORDER BY r.id`;
const COLLAPSED = `SELECT id, collapsed_into AS collapsedInto FROM build_requests
  WHERE collapsed_into IN (SELECT value FROM json_each(?)) ORDER BY id`;
const LANES = `${SELECT.replace('SELECT', 'SELECT r.lane,')}
  WHERE r.project = ? AND r.builder = ? AND r.state = 'pending' AND r.lane IS NOT NULL ORDER BY r.id`;
const SHARE_LANE = `SELECT 1 FROM build_requests o JOIN build_requests n ON n.lane = o.lane
  WHERE o.id = ? AND n.id = ? AND o.id < n.id AND o.state = 'pending' AND n.state = 'pending'`;
const NEXT_DEADLINE = `SELECT id, deadline_ms AS deadlineMs FROM build_requests
  WHERE state = 'pending' AND deadline_ms IS NOT NULL ORDER BY deadline_ms LIMIT 1`;
const UPSTREAMS = `SELECT w.request_id AS waiting, u.id, u.project, u.builder,
    (SELECT b.id FROM builds b WHERE b.request_id = u.id AND b.state = 'running') AS buildId
  FROM request_upstreams w JOIN build_requests u ON u.id = w.upstream_id ORDER BY w.request_id, u.id`;

interface Row extends SourceRow, ParentRow {
  readonly id: number;
  readonly buildSetId: number;
  readonly project: string;
  readonly builder: string;
  readonly priority: number;
  readonly reason: string;
  readonly owner: string;
  readonly scheduler: string | null;
  readonly externalId: string | null;
  readonly properties: string;
  readonly propertySources: string | null;
  readonly submittedAtMs: number;
  readonly rankAtMs: number;
  readonly worker: string | null;
  readonly notBeforeMs: number | null;
  readonly deadlineMs: number | null;
  readonly collapsedInto: number | null;
  readonly cause: RequestCause | null;
  readonly approval: NonNullable<BuildRequest['approval']> | null;
  readonly state: KnownRequest['state'];
  readonly result: Result | null;
  readonly summary: string | null;
  readonly buildId: number | null;
}

export function requestStore({ reader, writer }: Context): RequestStore {
  const waiting = new PendingRequests();
  const end: RequestStore['end'] = async (id, how, atMs) => {
    await writer.write(async (transaction) => {
      if (await endRequest(transaction, id, 'pending', how, atMs)) return;
      throw await noLongerPending(transaction, id);
    });
  };
  return {
    add(set) {
      return writer.write(async (transaction) => (await addBuildSet(transaction, set)).requests);
    },
    async pending() {
      const all = await reader.get<{ lines: string | null }>(PENDING);
      return waiting.read(all?.lines ?? null);
    },
    async find(id) {
      const row = await reader.get<Row>(FIND, id);
      return row && toKnown(row);
    },
    async known(ids) {
      return (await reader.all<Row>(KNOWN, JSON.stringify(ids))).map(toKnown);
    },
    trigger(sets) {
      return writer.write(async (transaction) => {
        const ids: (readonly number[])[] = [];
        for (const set of sets) {
          const before = await triggeredBefore(transaction, set.parent);
          ids.push(before.length > 0 ? before : (await addBuildSet(transaction, set)).requests.map(({ id }) => id));
        }
        return ids;
      });
    },
    triggered: (buildId, keys) => Promise.all(keys.map((key) => triggeredBefore(reader, { buildId, key }))),
    async childrenOf(buildId) {
      return (await reader.all<Row>(CHILDREN, buildId)).map(toKnown);
    },
    async patchesInUse() {
      const rows = await reader.all<{ id: string }>(PATCHES_IN_USE);
      return rows.map(({ id }) => id);
    },
    claim: (claim) => writer.write((transaction) => claimRequest(transaction, claim)),
    cancel: (id, reason, atMs) => end(id, { result: 'cancelled', cause: 'stopped', summary: reason }, atMs),
    end,
    stopSet: (buildSetId, reason, atMs) =>
      writer.write((transaction) => stopSet(transaction, buildSetId, { cause: 'stopped', summary: reason }, atMs)),
    async nextDeadline() {
      return await reader.get<{ id: number; deadlineMs: number }>(NEXT_DEADLINE);
    },
    async ofSet(buildSetId) {
      return (await reader.all<Row>(OF_SET, buildSetId)).map(toKnown);
    },
    async lanes(project, builder) {
      const rows = await reader.all<Row & { lane: string }>(LANES, project, builder);
      const lanes = groupedBy(
        rows,
        ({ lane }) => lane,
        ({ lane: _lane, ...row }) => toRequest(row),
      );
      return [...lanes.values()].filter(({ length }) => length > 1);
    },
    collapse: (older, newer, atMs) =>
      writer.write(async (transaction) => {
        if (!(await transaction.get(SHARE_LANE, older, newer))) return false;
        return await collapse(transaction, older, newer, atMs);
      }),
    async collapsed(ids) {
      const rows = await reader.all<{ id: number; collapsedInto: number }>(COLLAPSED, JSON.stringify(ids));
      return groupedBy(
        rows,
        ({ collapsedInto }) => collapsedInto,
        ({ id }) => id,
      );
    },
    async upstreams() {
      const rows = await reader.all<Nullable<Upstream> & { waiting: number }>(UPSTREAMS);
      return groupedBy(
        rows,
        ({ waiting }) => waiting,
        ({ waiting: _waiting, ...upstream }) => present(upstream),
      );
    },
  };
}

function groupedBy<T, K, V>(rows: readonly T[], keyOf: (row: T) => K, valueOf: (row: T) => V): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(valueOf(row));
    else groups.set(key, [valueOf(row)]);
  }
  return groups;
}

function toKnown(row: Row): KnownRequest {
  const { state, buildId, result, summary } = row;
  return { ...toRequest(row), state, ...present({ buildId, result, summary }) };
}

function toRequest(row: Row): BuildRequest {
  const [source, ownRow] = splitSource(row);
  const [parent, own] = splitParent(ownRow);
  const {
    properties,
    propertySources,
    state: _state,
    result: _result,
    summary: _summary,
    buildId: _buildId,
    ...rest
  } = own;
  return {
    ...present(rest),
    source,
    ...parent,
    properties: fromJson(properties) as JsonObject,
    ...(propertySources !== null && { propertySources: fromJson(propertySources) as Record<string, string> }),
  };
}
