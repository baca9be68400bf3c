import { CONNECTIONS_KEPT } from '../../model/trouble.ts';
import { asideMs } from '../../model/worker.ts';
import type { HoldKind, Seat, WorkerHold, WorkerRecord } from '../../model/worker.ts';
import type { WorkerStore } from '../store.ts';
import { StoreError } from '../store.ts';
import type { Context } from './context.ts';
import { buryWorker } from './principals.ts';
import { fromJson, mustBeOne, orNull, present } from './row.ts';
import type { Nullable } from './row.ts';

const COLUMNS = `name, install_id AS installId, boot_id AS bootId, process_id AS processId, host, version, facts, epoch,
  is_connected AS isConnected, since_ms AS sinceMs, lease_ms AS leaseMs, hold, hold_by AS holdBy, hold_reason AS holdReason,
  hold_since_ms AS holdSinceMs, leaving_reason AS leavingReason, leaving_since_ms AS leavingSinceMs,
  term_builds AS termBuilds, term_given AS termGiven, faults, aside_until_ms AS asideUntilMs, aside_reason AS asideReason`;
const LIST = `SELECT ${COLUMNS} FROM workers ORDER BY name`;
const LEAVING = `SELECT ${COLUMNS} FROM workers
  WHERE hold IN ('draining', 'retiring', 'retiring-now') OR leaving_reason IS NOT NULL OR term_given >= term_builds ORDER BY name`;
const FIND = `SELECT ${COLUMNS} FROM workers WHERE name = ?`;
const ATTACH = `INSERT INTO workers
    (name, install_id, boot_id, process_id, host, version, facts, epoch, is_connected, since_ms, term, term_builds, term_given)
  VALUES (?, ?, ?, ?, ?, ?, ?, 1, 1, ?, ?, ?, 0)
  ON CONFLICT (name) DO UPDATE SET install_id = excluded.install_id, boot_id = excluded.boot_id,
    process_id = excluded.process_id, host = excluded.host, version = excluded.version, facts = excluded.facts,
    epoch = workers.epoch + 1, is_connected = 1, since_ms = excluded.since_ms,
    hold = nullif(workers.hold, 'retired'),
    leaving_reason = CASE WHEN workers.leaving_process IS excluded.process_id THEN workers.leaving_reason END,
    term = excluded.term, term_builds = excluded.term_builds,
    term_given = CASE WHEN workers.term IS excluded.term THEN workers.term_given ELSE 0 END
  RETURNING epoch`;
const NOTE_CONNECTION = `INSERT INTO worker_connections (worker, at_ms)
  SELECT name, ? FROM workers WHERE name = ? AND leaving_reason IS NULL`;
const FORGET_CONNECTIONS = `DELETE FROM worker_connections WHERE worker = ?
  AND id <= (SELECT id FROM worker_connections WHERE worker = ? ORDER BY id DESC LIMIT 1 OFFSET ${CONNECTIONS_KEPT})`;
const CONNECTIONS = 'SELECT worker, at_ms AS atMs FROM worker_connections WHERE at_ms > ? ORDER BY id DESC';
const INSTALL = 'SELECT install_id AS installId FROM workers WHERE name = ?';
/** By state, of which few rows are running, and not by worker (`+` keeps the planner from it). */
export const MARK_UNSEEN = `UPDATE commands SET seen_by = ? WHERE state = 'started' AND seen_by IS NULL
  AND build_id IN (SELECT id FROM builds WHERE state = 'running' AND +worker = ?)`;
const DETACH = 'UPDATE workers SET is_connected = 0, since_ms = ? WHERE name = ? AND epoch = ? AND is_connected = 1';
const SET_LEASE = 'UPDATE workers SET lease_ms = ? WHERE name = ?';
const HOLD =
  'SELECT hold, hold_by AS holdBy, hold_reason AS holdReason, hold_since_ms AS holdSinceMs FROM workers WHERE name = ?';
const SET_HOLD = `INSERT INTO workers (name, facts, epoch, is_connected, hold, hold_by, hold_reason, hold_since_ms)
  VALUES (?, '{}', 0, 0, ?, ?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET hold = excluded.hold, hold_by = excluded.hold_by, hold_reason = excluded.hold_reason,
    hold_since_ms = excluded.hold_since_ms`;
const RETIRE = `UPDATE workers SET hold = 'retired', hold_since_ms = ? WHERE name = ? AND hold = ?`;
const SET_LEAVING = `UPDATE workers SET leaving_process = process_id, leaving_reason = ?, leaving_since_ms = ?
  WHERE name = ? AND process_id = ? AND leaving_reason IS NULL`;
/** Builds that ran there together and met the same fault are one of those in a row. */
const COUNT_FAULT = `UPDATE workers SET faults = faults + 1
  WHERE name = ? AND (aside_until_ms IS NULL OR aside_until_ms <= ?) RETURNING faults`;
const SET_ASIDE = 'UPDATE workers SET aside_until_ms = ?, aside_reason = ? WHERE name = ?';
const CLEAR_ASIDE = `UPDATE workers SET faults = 0, aside_until_ms = NULL, aside_reason = NULL
  WHERE name = ? AND faults > 0`;
const DETACH_ALL = 'UPDATE workers SET is_connected = 0, since_ms = ? WHERE is_connected = 1';
const SEAT_COLUMNS = 'session, worker, project, builder, seat, directory, fence, build_id AS buildId';
const SEATS = `SELECT ${SEAT_COLUMNS} FROM seats ORDER BY worker, project, builder, seat`;
const SEATS_OF = `SELECT ${SEAT_COLUMNS} FROM seats WHERE worker = ? ORDER BY project, builder, seat`;
const SEAT = `SELECT ${SEAT_COLUMNS} FROM seats WHERE session = ?`;
const REMOVE_SEAT = 'DELETE FROM seats WHERE session = ? AND build_id IS NULL';
const RAISE_FENCE = 'UPDATE seats SET fence = max(fence, ?) + 1 WHERE session = ? RETURNING fence, build_id AS buildId';
const RAISE_BUILD_FENCE = 'UPDATE builds SET fence = ? WHERE id = ?';

type HoldRow = {
  hold: HoldKind | null;
  holdBy: string | null;
  holdReason: string | null;
  holdSinceMs: number | null;
};
type WorkerRow = Nullable<Omit<WorkerRecord, 'facts' | 'isConnected' | 'hold' | 'leaving' | 'term' | 'aside'>> & {
  facts: string;
  isConnected: number;
  leavingReason: string | null;
  leavingSinceMs: number | null;
  termBuilds: number | null;
  termGiven: number | null;
  faults: number;
  asideUntilMs: number | null;
  asideReason: string | null;
} & HoldRow;
type SeatRow = Nullable<Seat>;

export function workerStore({ reader, writer }: Context): WorkerStore {
  return {
    async list() {
      const rows = await reader.all<WorkerRow>(LIST);
      return rows.map(toWorker);
    },
    async leaving() {
      const rows = await reader.all<WorkerRow>(LEAVING);
      return rows.map(toWorker);
    },
    async find(name) {
      const row = await reader.get<WorkerRow>(FIND, name);
      return row && toWorker(row);
    },
    attach(worker, atMs) {
      return writer.write(async (transaction) => {
        const known = await transaction.get<{ installId: string | null }>(INSTALL, worker.name);
        if (known?.installId && known.installId !== worker.installId) {
          await transaction.run(MARK_UNSEEN, known.installId, worker.name);
        }
        if (worker.isAgain && !worker.term && (await transaction.run(NOTE_CONNECTION, atMs, worker.name)) > 0) {
          await transaction.run(FORGET_CONNECTIONS, worker.name, worker.name);
        }
        const row = await transaction.returning<{ epoch: number }>(
          ATTACH,
          worker.name,
          orNull(worker.installId),
          orNull(worker.bootId),
          orNull(worker.processId),
          orNull(worker.host),
          orNull(worker.version),
          JSON.stringify(worker.facts),
          atMs,
          orNull(worker.term?.id),
          orNull(worker.term?.builds),
        );
        if (!row) throw new StoreError('not-found', `the worker ${worker.name} could not be stored`);
        return row.epoch;
      });
    },
    async connections(sinceMs) {
      return await reader.all(CONNECTIONS, sinceMs);
    },
    async detach(name, epoch, atMs) {
      await writer.write((transaction) => transaction.run(DETACH, atMs, name, epoch));
    },
    async setLease(name, leaseMs) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(SET_LEASE, orNull(leaseMs), name), `worker ${name}`);
      });
    },
    setHold(name, hold, from) {
      return writer.write(async (transaction) => {
        const row = await transaction.get<HoldRow>(HOLD, name);
        const before = row && toHold(row);
        if (from.includes(before?.kind)) {
          const { kind, by, reason, sinceMs } = hold ?? {};
          await transaction.run(SET_HOLD, name, orNull(kind), orNull(by), orNull(reason), orNull(sinceMs));
        }
        return before;
      });
    },
    retire(name, from, atMs) {
      return writer.write(async (transaction) => {
        if ((await transaction.run(RETIRE, atMs, name, from)) === 0) return false;
        await buryWorker(transaction, name, atMs);
        return true;
      });
    },
    async setLeaving(name, processId, reason, atMs) {
      await writer.write((transaction) => transaction.run(SET_LEAVING, reason, atMs, name, processId));
    },
    async noteFault(name, reason, atMs) {
      await writer.write(async (transaction) => {
        const row = await transaction.returning<{ faults: number }>(COUNT_FAULT, name, atMs);
        if (row) await transaction.run(SET_ASIDE, atMs + asideMs(row.faults), reason, name);
      });
    },
    async noteNoFault(name) {
      await writer.write((transaction) => transaction.run(CLEAR_ASIDE, name));
    },
    async detachAll(atMs) {
      await writer.write((transaction) => transaction.run(DETACH_ALL, atMs));
    },
    async seats(worker) {
      const rows = await (worker === undefined ? reader.all<SeatRow>(SEATS) : reader.all<SeatRow>(SEATS_OF, worker));
      return rows.map(present);
    },
    async seat(session) {
      const row = await reader.get<SeatRow>(SEAT, session);
      return row && present(row);
    },
    async removeSeat(session) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(REMOVE_SEAT, session), `free seat ${session}`);
      });
    },
    raiseFence(session, above = 0) {
      return writer.write(async (transaction) => {
        const row = await transaction.returning<{ fence: number; buildId: number | null }>(RAISE_FENCE, above, session);
        if (!row) throw new StoreError('not-found', `there is no seat ${session}`);
        if (row.buildId !== null) await transaction.run(RAISE_BUILD_FENCE, row.fence, row.buildId);
        return row.fence;
      });
    },
  };
}

function toWorker(all: WorkerRow): WorkerRecord {
  const { facts, isConnected, leavingReason, leavingSinceMs, termBuilds, termGiven, ...others } = all;
  const { faults, asideUntilMs, asideReason, ...more } = others;
  const { hold: _hold, holdBy: _holdBy, holdReason: _holdReason, holdSinceMs: _holdSinceMs, ...row } = more;
  const hold = toHold(all);
  return {
    ...present(row),
    facts: fromJson(facts) as Record<string, string>,
    isConnected: isConnected === 1,
    ...(hold && { hold }),
    ...(leavingReason !== null && { leaving: { reason: leavingReason, sinceMs: leavingSinceMs ?? 0 } }),
    ...(termBuilds !== null && { term: { builds: termBuilds, given: termGiven ?? 0 } }),
    ...(asideUntilMs !== null && { aside: { faults, untilMs: asideUntilMs, reason: asideReason ?? '' } }),
  };
}

function toHold({ hold, holdBy, holdReason, holdSinceMs }: HoldRow): WorkerHold | undefined {
  if (hold === null) return undefined;
  return {
    kind: hold,
    by: holdBy ?? '',
    sinceMs: holdSinceMs ?? 0,
    ...(holdReason !== null && { reason: holdReason }),
  };
}
