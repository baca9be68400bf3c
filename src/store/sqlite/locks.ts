import type { LockAccess, LockClaim, LockOwner, LockWait } from '../../model/lock.ts';
import type { LockStore, StepLocks } from '../store.ts';
import { StoreError } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import type { Context } from './context.ts';
import { addClaims, mustHaveRoom } from './lock-claims.ts';
import { fromJson, mustBeOne } from './row.ts';

const CLAIMS = `SELECT c.key, c.build_id AS buildId, c.step, c.mode, c.units, c.since_ms AS sinceMs,
    CASE WHEN s.parent_waits = 1 THEN s.parent_build_id END AS parent
  FROM lock_claims c JOIN builds b ON b.id = c.build_id JOIN build_requests r ON r.id = b.request_id
    JOIN build_sets s ON s.id = r.build_set_id
  ORDER BY c.since_ms, c.build_id, c.key`;
const WAITS = `SELECT w.build_id AS buildId, w.step, w.accesses, b.worker, q.priority,
    coalesce(q.rank_at_ms, q.submitted_at_ms) AS rankAtMs, s.lock_wait_since_ms AS sinceMs
  FROM lock_waits w JOIN steps s ON s.build_id = w.build_id AND s.step = w.step JOIN builds b ON b.id = w.build_id
    JOIN build_requests r ON r.id = b.request_id JOIN build_sets q ON q.id = r.build_set_id
  WHERE w.refusal IS NULL ORDER BY s.lock_wait_since_ms, w.build_id`;
const STATE = `SELECT s.lock_wait_ms AS waitedMs, w.build_id IS NOT NULL AS isWaiting, w.refusal
  FROM steps s LEFT JOIN lock_waits w ON w.build_id = s.build_id AND w.step = s.step
  WHERE s.build_id = ? AND s.step = ? AND s.state = 'running'`;
const WAIT = 'INSERT INTO lock_waits (build_id, step, accesses) VALUES (?, ?, ?)';
const NOTE_WAIT = 'UPDATE steps SET lock_wait_since_ms = ? WHERE build_id = ? AND step = ?';
const GRANT = 'DELETE FROM lock_waits WHERE build_id = ? AND step = ?';
const NOTE_GRANT = `UPDATE steps SET lock_wait_ms = max(0, ? - lock_wait_since_ms) WHERE build_id = ? AND step = ?`;
const REFUSE = `UPDATE lock_waits SET refusal = coalesce(refusal, ?) WHERE build_id = ? AND step = ?`;

type ClaimRow = Omit<LockClaim, 'owner' | 'parent'> & {
  readonly buildId: number;
  readonly step: number | null;
  readonly parent: number | null;
};
type WaitRow = Omit<LockWait, 'owner' | 'accesses'> & {
  readonly buildId: number;
  readonly step: number;
  readonly accesses: string;
};
interface StateRow {
  readonly waitedMs: number | null;
  readonly isWaiting: 0 | 1;
  readonly refusal: string | null;
}

export function lockStore({ reader, writer }: Context): LockStore {
  return {
    async claims() {
      const rows = await reader.all<ClaimRow>(CLAIMS);
      return rows.map(({ buildId, step, parent, ...rest }) => ({
        ...rest,
        owner: { buildId, ...(step !== null && { step }) },
        ...(parent !== null && { parent }),
      }));
    },
    async waits() {
      const rows = await reader.all<WaitRow>(WAITS);
      return rows.map(({ buildId, step, accesses, ...rest }) => ({
        ...rest,
        owner: { buildId, step },
        accesses: fromJson(accesses) as unknown as readonly LockAccess[],
      }));
    },
    async find({ buildId, step }) {
      return toState(await reader.get<StateRow>(STATE, buildId, step));
    },
    async wait({ buildId, step }, accesses, atMs) {
      return await writer.write(async (transaction) => {
        const state = toState(await transaction.get<StateRow>(STATE, buildId, step));
        if (state.kind !== 'none') return state;
        mustBeOne(await transaction.run(NOTE_WAIT, atMs, buildId, step), `step ${step} of build ${buildId}`);
        await transaction.run(WAIT, buildId, step, JSON.stringify(accesses));
        return { kind: 'waits' };
      });
    },
    async grant({ buildId, step }, locks, atMs) {
      await writer.write(async (transaction) => {
        await mustWait(transaction, { buildId, step });
        await mustHaveRoom(transaction, locks, { buildId });
        await transaction.run(GRANT, buildId, step);
        await transaction.run(NOTE_GRANT, atMs, buildId, step);
        await addClaims(transaction, { buildId, step }, locks, atMs);
      });
    },
    async refuse({ buildId, step }, why) {
      await writer.write(async (transaction) => {
        await mustWait(transaction, { buildId, step });
        await transaction.run(REFUSE, why, buildId, step);
      });
    },
  };
}

async function mustWait(transaction: Transaction, { buildId, step }: Required<LockOwner>): Promise<void> {
  const state = toState(await transaction.get<StateRow>(STATE, buildId, step));
  if (state.kind === 'waits') return;
  throw new StoreError('lost-claim', `step ${step} of build ${buildId} does not wait for locks`);
}

function toState(row: StateRow | undefined): StepLocks {
  if (!row) return { kind: 'none' };
  if (row.isWaiting === 0) return { kind: row.waitedMs === null ? 'none' : 'granted' };
  return row.refusal === null ? { kind: 'waits' } : { kind: 'refused', why: row.refusal };
}
