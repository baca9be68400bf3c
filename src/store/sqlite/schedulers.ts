import type { PendingChanges, SchedulerName, SchedulerRecord } from '../../model/scheduler.ts';
import type { EndedSet, Firing, SchedulerStore } from '../store.ts';
import { StoreError } from '../store.ts';
import { addBuildSet } from './add-build-set.ts';
import type { Transaction } from './batch-writer.ts';
import type { Context } from './context.ts';
import { fromJson, orNull, present } from './row.ts';
import type { Nullable } from './row.ts';
import { SOURCE_COLUMNS, splitSource } from './source-stamps.ts';
import type { SourceRow } from './source-stamps.ts';

const LIST = `SELECT project, name AS scheduler, off_by AS offBy, off_reason AS offReason, off_since_ms AS offSinceMs, rule,
    next_at_ms AS nextAtMs, last_at_ms AS lastAtMs, from_set_id AS fromSetId
  FROM scheduler_states ORDER BY project, name`;
const PENDING = `SELECT project, scheduler, branch, count(*) AS count, max(change_id) AS newestId,
    min(CASE WHEN is_important THEN at_ms END) AS firstImportantMs, max(CASE WHEN is_important THEN at_ms END) AS lastImportantMs
  FROM scheduler_changes GROUP BY project, scheduler, branch ORDER BY project, scheduler, branch`;
const PULL_BACK = 'UPDATE scheduler_changes SET at_ms = ? WHERE at_ms > ?';
const SETTLE = `INSERT INTO scheduler_states (project, name, rule, next_at_ms, from_set_id)
  VALUES (?, ?, ?, ?, (SELECT coalesce(max(id), 0) FROM build_sets))
  ON CONFLICT (project, name) DO UPDATE SET rule = excluded.rule, next_at_ms = excluded.next_at_ms,
    from_set_id = CASE WHEN rule IS excluded.rule THEN from_set_id ELSE excluded.from_set_id END
  WHERE rule IS ? AND next_at_ms IS ? AND off_since_ms IS NULL`;
const KEEP_BRANCH = 'DELETE FROM scheduler_changes WHERE project = ? AND scheduler = ? AND branch <> ?';
const TO_FOLLOW = `SELECT s.id, ${SOURCE_COLUMNS},
    NOT EXISTS (SELECT 1 FROM build_requests r WHERE r.build_set_id = s.id AND r.result NOT IN ('success', 'warnings')
      AND NOT (r.result = 'skipped' AND r.cause IS 'unwanted')) AS isSuccess,
    (SELECT g.value FROM build_requests r JOIN builds b ON b.request_id = r.id
        JOIN properties g ON g.build_id = b.id AND g.name = 'got_revision'
      WHERE r.build_set_id = s.id ORDER BY r.id, b.id DESC LIMIT 1) AS gotRevision
  FROM build_sets s JOIN source_stamps p ON p.id = s.source_stamp_id
  WHERE s.project = ? AND s.scheduler = ?
    AND s.id > (SELECT from_set_id FROM scheduler_states WHERE project = ? AND name = ?)
    AND NOT EXISTS (SELECT 1 FROM scheduler_follows f WHERE f.project = ? AND f.scheduler = ? AND f.build_set_id = s.id)
    AND NOT EXISTS (SELECT 1 FROM build_requests r WHERE r.build_set_id = s.id AND r.state <> 'finished')
  ORDER BY s.id LIMIT ?`;
/** In one round. */
const FOLLOWED_AT_ONCE = 100;
const IS_OFF = 'SELECT 1 FROM scheduler_states WHERE project = ? AND name = ? AND off_since_ms IS NOT NULL';
const NEWEST = 'SELECT max(change_id) AS id FROM scheduler_changes WHERE project = ? AND scheduler = ? AND branch = ?';
const MOVE_ON = `UPDATE scheduler_states SET next_at_ms = ?, last_at_ms = ? WHERE project = ? AND name = ? AND next_at_ms = ?`;
const FOLLOW = `INSERT INTO scheduler_follows (project, scheduler, build_set_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`;
/** Up to the oldest set of the followed scheduler that is still to be followed. */
const ADVANCE = `UPDATE scheduler_states SET from_set_id = coalesce((
    SELECT min(s.id) - 1 FROM build_sets s JOIN build_sets u ON u.project = s.project AND u.scheduler = s.scheduler
    WHERE u.id = ? AND s.id > scheduler_states.from_set_id AND NOT EXISTS (
      SELECT 1 FROM scheduler_follows f
      WHERE f.project = scheduler_states.project AND f.scheduler = scheduler_states.name AND f.build_set_id = s.id)
  ), ?) WHERE project = ? AND name = ?`;
const FORGET_FOLLOWED = `DELETE FROM scheduler_follows WHERE project = ? AND scheduler = ?
  AND build_set_id <= (SELECT from_set_id FROM scheduler_states WHERE project = ? AND name = ?)`;
const WAITING =
  'SELECT change_id AS id FROM scheduler_changes WHERE project = ? AND scheduler = ? AND branch = ? ORDER BY change_id';
/** With those of the requests that its own were built in place of. */
const OF_SET = `SELECT DISTINCT l.change_id AS id FROM build_requests s
    JOIN build_requests r ON r.id = s.id OR r.collapsed_into = s.id
    JOIN build_set_changes l ON l.build_set_id = r.build_set_id
  WHERE s.build_set_id = ? ORDER BY l.change_id`;
const TAKE = 'DELETE FROM scheduler_changes WHERE project = ? AND scheduler = ? AND branch = ?';
const DROP = 'DELETE FROM scheduler_changes WHERE project = ? AND scheduler = ?';
const UNFOLLOW = 'DELETE FROM scheduler_follows WHERE project = ? AND scheduler = ?';
const SWITCH = `INSERT INTO scheduler_states (project, name, off_by, off_reason, off_since_ms) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (project, name) DO UPDATE SET off_by = excluded.off_by, off_reason = excluded.off_reason,
    off_since_ms = excluded.off_since_ms, rule = NULL, next_at_ms = NULL, from_set_id = NULL`;
const FORGET_ON = 'DELETE FROM scheduler_states WHERE project = ? AND name = ? AND off_since_ms IS NULL';
const FORGET_OFF = `UPDATE scheduler_states SET rule = NULL, next_at_ms = NULL, last_at_ms = NULL, from_set_id = NULL
  WHERE project = ? AND name = ?`;
const LAST_SET = `SELECT id, submitted_at_ms AS atMs FROM build_sets WHERE project = ? AND scheduler = ? ORDER BY id DESC LIMIT 1`;

type Row = Nullable<Omit<SchedulerRecord, 'off'>> & {
  readonly offBy: string | null;
  readonly offReason: string | null;
  readonly offSinceMs: number | null;
};

export function schedulerStore({ reader, writer }: Context): SchedulerStore {
  return {
    async list() {
      return (await reader.all<Row>(LIST)).map(toRecord);
    },
    async pending() {
      return (await reader.all<Nullable<PendingChanges>>(PENDING)).map(present);
    },
    async pullBack(nowMs) {
      await writer.write((transaction) => transaction.run(PULL_BACK, nowMs, nowMs));
    },
    async settle({ project, scheduler, rule, nextAtMs }, was, branch) {
      await writer.write(async (transaction) => {
        const values = [project, scheduler, rule, orNull(nextAtMs), orNull(was?.rule), orNull(was?.nextAtMs)] as const;
        const changed = await transaction.run(SETTLE, ...values);
        if (changed > 0 && was?.rule !== rule && branch !== undefined) {
          await transaction.run(KEEP_BRANCH, project, scheduler, branch);
        }
      });
    },
    async toFollow(follower, upstream) {
      const rows = await reader.all<EndedRow>(
        TO_FOLLOW,
        ...named(upstream),
        ...named(follower),
        ...named(follower),
        FOLLOWED_AT_ONCE,
      );
      return rows.map(toEnded);
    },
    fire: (firing) => writer.write((transaction) => fire(transaction, firing)),
    switch(name, off, dropsChanges) {
      return writer.write(async (transaction) => {
        // What is on goes on where it is, and who switched it off first did.
        if ((await isOff(transaction, name)) === (off !== undefined)) return 0;
        const values = [orNull(off?.by), orNull(off?.reason), orNull(off?.sinceMs)] as const;
        await transaction.run(SWITCH, ...named(name), ...values);
        await transaction.run(UNFOLLOW, ...named(name));
        return dropsChanges ? await transaction.run(DROP, ...named(name)) : 0;
      });
    },
    forget(name) {
      return writer.write(async (transaction) => {
        await transaction.run(FORGET_ON, ...named(name));
        await transaction.run(FORGET_OFF, ...named(name));
        await transaction.run(UNFOLLOW, ...named(name));
        return await transaction.run(DROP, ...named(name));
      });
    },
    async lastSet(name) {
      return await reader.get<{ id: number; atMs: number }>(LAST_SET, ...named(name));
    },
  };
}

async function fire(transaction: Transaction, firing: Firing) {
  const { timer, follows, changes, set, isSameSource = false } = firing;
  if (await isOff(transaction, firing)) throw lost(firing);
  if (changes) {
    const newest = await transaction.get<{ id: number | null }>(NEWEST, ...named(firing), changes.branch);
    if (newest?.id !== changes.newestId) throw lost(firing);
  }
  if (timer) {
    const { atMs, nextAtMs } = timer;
    if ((await transaction.run(MOVE_ON, orNull(nextAtMs), atMs, ...named(firing), atMs)) === 0) throw lost(firing);
  }
  if (follows !== undefined) {
    if ((await transaction.run(FOLLOW, ...named(firing), follows)) === 0) throw lost(firing);
    await transaction.run(ADVANCE, follows, follows, ...named(firing));
    await transaction.run(FORGET_FOLLOWED, ...named(firing), ...named(firing));
  }
  const taken = changes ? await takeChanges(transaction, firing, changes.branch) : [];
  if (!set) return [];
  const followed = follows !== undefined && isSameSource ? await transaction.all<{ id: number }>(OF_SET, follows) : [];
  const { requests } = await addBuildSet(transaction, set, [...followed.map(({ id }) => id), ...taken]);
  return requests;
}

/** What waits for a scheduler on a branch waits no more; resolves to the ids of the changes, the newest last. */
export async function takeChanges(
  transaction: Transaction,
  name: SchedulerName,
  branch: string,
): Promise<readonly number[]> {
  const waiting = await transaction.all<{ id: number }>(WAITING, ...named(name), branch);
  await transaction.run(TAKE, ...named(name), branch);
  return waiting.map(({ id }) => id);
}

export async function isOff(transaction: Transaction, name: SchedulerName): Promise<boolean> {
  return (await transaction.get(IS_OFF, ...named(name))) !== undefined;
}

const named = ({ project, scheduler }: SchedulerName) => [project, scheduler] as const;

function lost({ project, scheduler }: SchedulerName): StoreError {
  return new StoreError('lost-claim', `the occasion of ${project}/${scheduler} is over`);
}

function toRecord({ offBy, offReason, offSinceMs, ...row }: Row): SchedulerRecord {
  const off =
    offBy === null || offSinceMs === null
      ? undefined
      : { by: offBy, sinceMs: offSinceMs, ...present({ reason: offReason }) };
  return { ...present(row), ...(off && { off }) };
}

interface EndedRow extends SourceRow {
  readonly id: number;
  readonly isSuccess: 0 | 1;
  readonly gotRevision: string | null;
}

function toEnded(row: EndedRow): EndedSet {
  const [source, { id, isSuccess, gotRevision }] = splitSource(row);
  const revision = gotRevision === null ? undefined : fromJson(gotRevision);
  return { id, source, isSuccess: isSuccess === 1, ...(typeof revision === 'string' && { gotRevision: revision }) };
}
