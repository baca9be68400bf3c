import { KeyUnits } from '../../model/key-units.ts';
import type { LockMode, LockOwner, LockTake } from '../../model/lock.ts';
import { StoreError } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import { orNull } from './row.ts';

const HELD = 'SELECT build_id AS buildId, mode, units, since_ms AS sinceMs FROM lock_claims WHERE key = ?';
/** Of builds that wait, only those that run lend what they hold. */
const WAITED_FOR = `JOIN build_requests r ON r.id = b.request_id JOIN build_sets s ON s.id = r.build_set_id AND s.parent_waits = 1
    JOIN builds p ON p.id = s.parent_build_id AND p.state = 'running'`;
/** Of the holders of a lock and one build more: which waits for which, upwards. */
const PARENTS = `WITH RECURSIVE line (build, parent) AS (
    SELECT b.id, p.id FROM builds b ${WAITED_FOR}
    WHERE b.id IN (SELECT build_id FROM lock_claims WHERE key = ?1 UNION SELECT ?2)
  UNION
    SELECT b.id, p.id FROM line JOIN builds b ON b.id = line.parent ${WAITED_FOR}
  ) SELECT build, parent FROM line`;
const ADD = `INSERT INTO lock_claims (key, build_id, step, mode, units, since_ms) VALUES (?, ?, ?, ?, ?, ?)`;
const FREE = 'DELETE FROM lock_claims WHERE build_id = ?';
const END_WAIT = 'DELETE FROM lock_waits WHERE build_id = ?';
const OF_STEP = ' AND step = ?';

interface HeldRow {
  readonly buildId: number;
  readonly mode: LockMode;
  readonly units: number;
  readonly sinceMs: number;
}

/** Who asks: a build, or one that is about to be made, and the one that waits for it. */
export type LockAsker = { readonly buildId: number } | { readonly parent: number | undefined };

/** A build that is about to be made has no id yet; theirs begin at 1. */
const NOT_YET = 0;

/** Rejects with `lost-claim` when a lock has no room for what is wanted beside what is held; changes nothing. */
export async function mustHaveRoom(
  transaction: Transaction,
  locks: readonly LockTake[],
  asker: LockAsker,
): Promise<void> {
  const build = 'buildId' in asker ? asker.buildId : NOT_YET;
  const known = 'buildId' in asker ? asker.buildId : (asker.parent ?? NOT_YET);
  for (const { slots, ...wish } of locks) {
    const rows = await transaction.all<HeldRow>(HELD, wish.key);
    const pairs = await transaction.all<{ build: number; parent: number }>(PARENTS, wish.key, known);
    const parents = new Map(pairs.map((pair) => [pair.build, pair.parent]));
    if (known !== build && known !== NOT_YET) parents.set(build, known);
    const lineOf = (first: number): readonly number[] => {
      const line = [first];
      for (let up = parents.get(first); up !== undefined; up = parents.get(up)) line.push(up);
      return line;
    };
    const claims = rows.map(({ buildId, ...units }) => ({ ...units, key: wish.key, owner: { buildId } }));
    if (new KeyUnits(wish.key, slots, claims, lineOf).fitsBesideHeld(wish, lineOf(build))) continue;
    throw new StoreError('lost-claim', `lock ${wish.key} has no room for ${wish.units} (${wish.mode})`);
  }
}

export async function addClaims(
  transaction: Transaction,
  { buildId, step }: LockOwner,
  locks: readonly LockTake[],
  atMs: number,
): Promise<void> {
  for (const { key, mode, units } of locks) {
    if (units > 0) await transaction.run(ADD, key, buildId, orNull(step), mode, units, atMs);
  }
}

/** All that the step, or (without one) the build and its steps, hold or wait for. Nothing of anybody else. */
export async function freeLocks(transaction: Transaction, { buildId, step }: LockOwner): Promise<void> {
  for (const free of [FREE, END_WAIT]) {
    if (step === undefined) await transaction.run(free, buildId);
    else await transaction.run(free + OF_STEP, buildId, step);
  }
}
