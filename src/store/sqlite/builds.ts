import type { Build, Property, Step } from '../../model/build.ts';
import { RETRY_RULES } from '../../model/retry.ts';
import type { Sealer } from '../archive/sealer.ts';
import type { BuildFilter, BuildStore } from '../store.ts';
import { StoreError } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import type { Context } from './context.ts';
import type { SqlValue } from './connection.ts';
import { freeLocks } from './lock-claims.ts';
import { PARENT_COLUMNS, splitParent } from './parents.ts';
import type { ParentRow } from './parents.ts';
import { endChildren } from './end-request.ts';
import { finishBuild } from './finish-build.ts';
import { rebuildsOf } from './rebuilds.ts';
import { fromJson, mustBeOne, orNull, present } from './row.ts';
import type { Nullable } from './row.ts';
import { giveBack, passCheck } from './start-checks.ts';
import { SOURCE_COLUMNS, splitSource } from './source-stamps.ts';
import type { SourceRow } from './source-stamps.ts';

const SELECT = `SELECT b.id, b.uid, b.number, b.request_id AS requestId, r.build_set_id AS buildSetId, b.project, b.builder, b.worker, b.session, b.fence,
    b.config_hash AS configHash, b.state, b.result, b.summary, b.stop_reason AS stopReason,
    b.retry_cause AS retryCause,
    (SELECT v.name FROM virtual_builds v WHERE v.build_id = b.id) AS virtualBuilder, s.reason, s.owner,
    s.scheduler, s.external_id AS externalId, ${PARENT_COLUMNS}, ${SOURCE_COLUMNS}, b.started_at_ms AS startedAtMs, b.finished_at_ms AS finishedAtMs
  FROM builds b JOIN build_requests r ON r.id = b.request_id JOIN build_sets s ON s.id = r.build_set_id
    JOIN source_stamps p ON p.id = s.source_stamp_id`;
const FIND = `${SELECT} WHERE b.id = ?`;
const FIND_BY_NUMBER = `${SELECT} WHERE b.project = ? AND b.builder = ? AND b.number = ?`;
const RUNNING = `${SELECT} WHERE b.state = 'running' ORDER BY b.id`;
const LIST_MOST = 1_000;
const REQUEST_STOP = `UPDATE builds SET stop_reason = coalesce(stop_reason, ?) WHERE id = ? AND state = 'running'`;
/** The newest few: which of them began last may differ from which of them was made last. */
const LAST_STARTS = `SELECT w.value AS worker, (SELECT max(started_at_ms) FROM (
    SELECT started_at_ms FROM builds WHERE worker = w.value ORDER BY id DESC LIMIT 10)) AS startedAtMs
  FROM json_each(?) w`;
export const LAST_WORKERS = `SELECT last.project, last.builder, last.worker FROM json_each(?) t JOIN builds last ON last.id = (
    SELECT b.id FROM builds b
    WHERE b.project = t.value ->> 'project' AND b.builder = t.value ->> 'builder' AND +b.number > 0
    ORDER BY b.id DESC LIMIT 1)`;
const LINEAGE = `WITH RECURSIVE line (id, project, builder, parent, depth) AS (
    SELECT b.id, b.project, b.builder, s.parent_build_id, 1 FROM builds b
      JOIN build_requests r ON r.id = b.request_id JOIN build_sets s ON s.id = r.build_set_id WHERE b.id = ?
    UNION ALL
    SELECT b.id, b.project, b.builder, s.parent_build_id, depth + 1 FROM line JOIN builds b ON b.id = line.parent
      JOIN build_requests r ON r.id = b.request_id JOIN build_sets s ON s.id = r.build_set_id)
  SELECT id, project, builder FROM line ORDER BY depth LIMIT ?`;
const OF_REQUEST = 'SELECT id FROM builds WHERE request_id = ? AND number > 0 ORDER BY id';
const EXISTS = 'SELECT 1 FROM builds WHERE id = ?';
const STEPS = `SELECT build_id AS buildId, step AS "index", name, state, result, summary, description, nullif(is_hidden, 0) AS isHidden, started_at_ms AS startedAtMs,
    finished_at_ms AS finishedAtMs, lock_wait_since_ms AS lockWaitSinceMs, lock_wait_ms AS lockWaitMs FROM steps WHERE build_id = ? ORDER BY step`;
const START_STEP = `UPDATE steps SET state = 'running', started_at_ms = coalesce(started_at_ms, ?)
  WHERE build_id = ? AND step = ?`;
const DESCRIBE_STEP = 'UPDATE steps SET description = ? WHERE build_id = ? AND step = ?';
const FINISH_STEP = `UPDATE steps SET state = 'finished', result = ?1, summary = ?2, finished_at_ms = max(coalesce(started_at_ms, 0), ?3),
    lock_wait_ms = coalesce(lock_wait_ms, max(0, ?3 - lock_wait_since_ms)), description = coalesce(?6, description), is_hidden = ?7
  WHERE build_id = ?4 AND step = ?5 RETURNING lock_wait_since_ms AS lockWaitSinceMs`;
const PROPERTIES = 'SELECT name, value, source FROM properties WHERE build_id = ? ORDER BY name';
const SET_PROPERTY = `INSERT INTO properties (build_id, name, value, source) VALUES (?, ?, ?, ?)
  ON CONFLICT (build_id, name) DO UPDATE SET value = excluded.value, source = excluded.source`;

interface FinishedStep {
  readonly lockWaitSinceMs: number | null;
}
type Row = Nullable<Omit<Build, 'source' | 'parent'>> & SourceRow & ParentRow;

export function buildStore({ reader, writer }: Context, sealer: Pick<Sealer, 'dropped'>): BuildStore {
  const find = async (id: number): Promise<Build | undefined> => {
    const row = await reader.get<Row>(FIND, id);
    return row && toBuild(row);
  };
  return {
    find,
    async findByNumber(project, builder, number) {
      const row = await reader.get<Row>(FIND_BY_NUMBER, project, builder, number);
      return row && toBuild(row);
    },
    async list(filter) {
      const { sql, values } = listQuery(filter);
      const rows = await reader.all<Row>(sql, ...values);
      return rows.map(toBuild);
    },
    async running() {
      const rows = await reader.all<Row>(RUNNING);
      return rows.map(toBuild);
    },
    async ofRequest(requestId) {
      const rows = await reader.all<{ id: number }>(OF_REQUEST, requestId);
      return rows.map(({ id }) => id);
    },
    async lastStarts(workers) {
      const rows = await reader.all<{ worker: string; startedAtMs: number | null }>(
        LAST_STARTS,
        JSON.stringify(workers),
      );
      return new Map(rows.flatMap(({ worker, startedAtMs }) => (startedAtMs === null ? [] : [[worker, startedAtMs]])));
    },
    async lastWorkers(builders) {
      return await reader.all(LAST_WORKERS, JSON.stringify(builders));
    },
    rebuilds: (id) => rebuildsOf(reader, id),
    async lineage(id, limit) {
      return await reader.all(LINEAGE, id, limit);
    },
    async requestStop(id, reason, atMs) {
      return await writer.write(async (transaction) => {
        if ((await transaction.run(REQUEST_STOP, reason, id)) > 0) {
          await endChildren(transaction, id, `was stopped: ${reason}`, atMs);
          return true;
        }
        await mustExist(transaction, id);
        return false;
      });
    },
    async finish(id, result, summary, atMs, retry = RETRY_RULES) {
      await writer.write(async (transaction) => {
        if (!(await finishBuild(transaction, id, { result, summary, retry }, atMs))) await mustExist(transaction, id);
      });
    },
    async passCheck(id, atMs) {
      const logs = await writer.write((transaction) => passCheck(transaction, id, atMs));
      if (!logs) return undefined;
      sealer.dropped(logs);
      return await find(id);
    },
    async giveBack(id, atMs) {
      sealer.dropped(await writer.write((transaction) => giveBack(transaction, id, atMs)));
    },
    async steps(id) {
      const rows = await reader.all<Nullable<Omit<Step, 'isHidden'>> & { isHidden: 1 | null }>(STEPS, id);
      return rows.map(({ isHidden, ...row }): Step => ({ ...present(row), ...(isHidden && { isHidden: true }) }));
    },
    async startStep(id, index, atMs) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(START_STEP, atMs, id, index), `step ${index} of build ${id}`);
      });
    },
    async describeStep(id, index, description) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(DESCRIBE_STEP, description, id, index), `step ${index} of build ${id}`);
      });
    },
    async finishStep(id, index, result, summary, atMs, { description, isHidden = false } = {}) {
      await writer.write(async (transaction) => {
        const words = [orNull(description), isHidden ? 1 : 0] as const;
        const row = await transaction.returning<FinishedStep>(
          FINISH_STEP,
          result,
          orNull(summary),
          atMs,
          id,
          index,
          ...words,
        );
        if (!row) throw new StoreError('not-found', `there is no step ${index} of build ${id}`);
        if (row.lockWaitSinceMs !== null) await freeLocks(transaction, { buildId: id, step: index });
      });
    },
    async properties(id) {
      const rows = await reader.all<{ name: string; value: string; source: string }>(PROPERTIES, id);
      return rows.map((row): Property => ({ ...row, value: fromJson(row.value) }));
    },
    async setProperty(id, { name, value, source }) {
      await writer.write(async (transaction) => {
        await mustExist(transaction, id);
        await transaction.run(SET_PROPERTY, id, name, JSON.stringify(value), source);
      });
    },
  };
}

async function mustExist(transaction: Transaction, id: number): Promise<void> {
  if (!(await transaction.get(EXISTS, id))) throw new StoreError('not-found', `there is no build ${id}`);
}

/** One text for each set of filters in use, so that it stays prepared. */
export function listQuery({ project, builder, virtualBuilder, worker, state, without, before, limit }: BuildFilter) {
  const wanted: readonly (readonly [string, SqlValue | undefined])[] = [
    ['b.project = ?', project],
    ['b.builder = ?', builder],
    ['b.id IN (SELECT v.build_id FROM virtual_builds v WHERE v.project = b.project AND v.name = ?)', virtualBuilder],
    ['b.worker = ?', worker],
    ['b.state = ?', state],
    [
      'b.project NOT IN (SELECT value FROM json_each(?))',
      without && without.length > 0 ? JSON.stringify(without) : undefined,
    ],
    ['b.id < ?', before],
  ];
  // Not by the index of the numbers, which has another order.
  const conditions = ['+b.number > 0'];
  const values: SqlValue[] = [];
  for (const [condition, value] of wanted) {
    if (value === undefined) continue;
    conditions.push(condition);
    values.push(value);
  }
  values.push(Math.min(limit, LIST_MOST));
  return { sql: `${SELECT} WHERE ${conditions.join(' AND ')} ORDER BY b.id DESC LIMIT ?`, values };
}

function toBuild(row: Row): Build {
  const [source, ownRow] = splitSource(row);
  const [parent, rest] = splitParent(ownRow);
  return { ...present(rest), source, ...parent };
}
