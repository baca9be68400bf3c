import type { KeptBuild } from '../../model/keep-rules.ts';
import type { ArchiveFolder } from '../archive/archive-folder.ts';
import type { Sealer } from '../archive/sealer.ts';
import type { RetentionStore } from '../retention-store.ts';
import type { Transaction } from './batch-writer.ts';
import type { Context } from './context.ts';

/** So many files, requests or changes go in one transaction. */
const AT_ONCE = 50;

/** By the index, from one project to the next: not by all builds there are. */
const PROJECTS = `WITH RECURSIVE named (project) AS (
    SELECT min(project) FROM builds
    UNION ALL SELECT (SELECT min(project) FROM builds WHERE project > named.project) FROM named WHERE project IS NOT NULL)
  SELECT project FROM named WHERE project IS NOT NULL`;
const PAGE = `SELECT id, builder, finished_at_ms AS finishedAtMs,
    result IN ('success', 'warnings') AND EXISTS (
      SELECT 1 FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id JOIN source_stamps p ON p.id = s.source_stamp_id
      WHERE r.id = builds.request_id AND p.untrusted_of IS NULL AND p.patch_id IS NULL) AS isGood,
    number = (SELECT max(n.number) FROM builds n WHERE n.project = builds.project AND n.builder = builds.builder) OR EXISTS (
      SELECT 1 FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id JOIN builds a ON a.id = s.parent_build_id
      WHERE r.id = builds.request_id AND a.state <> 'finished') AS isNeeded, logs_deleted_at_ms IS NULL AS hasLogs,
    CASE WHEN logs_deleted_at_ms IS NULL
      THEN (SELECT coalesce(sum(file_length + max(0, length - sealed_length)), 0) FROM logs WHERE build_id = builds.id)
      ELSE 0 END AS logBytes,
    EXISTS (SELECT 1 FROM artifacts WHERE build_id = builds.id) AS hasArtifacts,
    (SELECT coalesce(sum(size), 0) FROM artifacts WHERE build_id = builds.id) AS artifactBytes
  FROM builds WHERE project = ? AND id < ? AND state = 'finished' ORDER BY id DESC LIMIT ?`;

const LOGS = 'SELECT id FROM logs WHERE build_id = ? AND deleted_at_ms IS NULL';
const GIVE_UP = `UPDATE builds SET logs_deleted_at_ms = ? WHERE id = ? AND state = 'finished' AND logs_deleted_at_ms IS NULL`;
const DELETE_LOG = 'UPDATE logs SET deleted_at_ms = ? WHERE id = ?';
const DROP_CHUNKS = 'DELETE FROM log_chunks WHERE log_id = ?';
const DROP_EXTENTS = 'DELETE FROM log_extents WHERE log_id = ?';
const REMOVE_LATER = 'INSERT INTO log_removals (log_id) VALUES (?) ON CONFLICT DO NOTHING';
const REMOVALS = `SELECT log_id AS id FROM log_removals ORDER BY log_id LIMIT ${AT_ONCE}`;
const REMOVED = 'DELETE FROM log_removals WHERE log_id = ?';

/** Not while its parent runs, which may still ask what became of it, nor before all of its build set is over. */
const FINISHED = `SELECT b.request_id AS requestId FROM builds b JOIN build_requests r ON r.id = b.request_id
    JOIN build_sets s ON s.id = r.build_set_id
  WHERE b.id = ? AND b.state = 'finished'
    AND NOT EXISTS (SELECT 1 FROM build_requests o WHERE o.build_set_id = s.id AND o.state <> 'finished')
    AND NOT EXISTS (SELECT 1 FROM builds p WHERE p.id = s.parent_build_id AND p.state <> 'finished')`;
/** All that has a row for its build. */
export const OF_BUILD: readonly string[] = [
  'build_envs',
  'virtual_builds',
  'artifacts',
  'step_links',
  'test_results',
  'test_reports',
  'properties',
  'commands',
  'logs',
  'steps',
];
const REQUEST = `SELECT id, build_set_id AS buildSetId FROM build_requests
  WHERE id = ? AND state = 'finished' AND NOT EXISTS (SELECT 1 FROM builds WHERE request_id = build_requests.id)`;
const SET = `SELECT id, source_stamp_id AS sourceId FROM build_sets
  WHERE id = ? AND NOT EXISTS (SELECT 1 FROM build_requests WHERE build_set_id = build_sets.id)`;
const DROP_SOURCE = `DELETE FROM source_stamps
  WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM build_sets WHERE source_stamp_id = ?1)`;

/** It ended, and so did all of its set, which has no build; what was built in its place is gone, too: that one has its changes. */
const IS_UNBUILT = `FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id
  WHERE r.state = 'finished' AND r.finished_at_ms < ?2
    AND NOT EXISTS (SELECT 1 FROM build_requests o WHERE o.build_set_id = s.id
      AND (o.state <> 'finished' OR EXISTS (SELECT 1 FROM builds WHERE request_id = o.id)))
    AND NOT EXISTS (SELECT 1 FROM builds p WHERE p.id = s.parent_build_id AND p.state <> 'finished')
    AND NOT EXISTS (SELECT 1 FROM build_requests c WHERE c.id = r.collapsed_into)`;
const UNBUILT = `SELECT r.id ${IS_UNBUILT} AND r.project = ?1 ORDER BY r.id LIMIT ${AT_ONCE}`;
const STILL_UNBUILT = `SELECT 1 ${IS_UNBUILT} AND r.id = ?1`;
/** Whoever names a revision of a fork is to be told so for ever: what is known of that stays. */
const IS_UNUSED = `FROM changes
  WHERE NOT EXISTS (SELECT 1 FROM build_set_changes WHERE change_id = changes.id)
    AND NOT EXISTS (SELECT 1 FROM scheduler_changes WHERE change_id = changes.id)
    AND NOT EXISTS (SELECT 1 FROM changes f WHERE f.project = changes.project AND f.revision = changes.revision AND f.is_untrusted)`;
const UNUSED_CHANGES = `SELECT id ${IS_UNUSED} AND project = ? AND at_ms < ? ORDER BY id LIMIT ${AT_ONCE}`;
const DROP_CHANGE = `DELETE ${IS_UNUSED} AND id = ?`;
/** Of a name that no other build is shown as nothing is told any more. */
const DROP_VIRTUAL = `DELETE FROM virtual_builders
  WHERE (project, name) IN (SELECT project, name FROM virtual_builds WHERE build_id = ?1)
    AND NOT EXISTS (SELECT 1 FROM virtual_builds v
      WHERE v.project = virtual_builders.project AND v.name = virtual_builders.name AND v.build_id <> ?1)`;
const DROP_CONFIGS = `DELETE FROM configs WHERE hash IN (
  SELECT hash FROM configs WHERE at_ms < ? AND hash IS NOT (SELECT value FROM settings WHERE name = 'active_config')
    AND NOT EXISTS (SELECT 1 FROM builds WHERE config_hash = configs.hash)
  LIMIT ${AT_ONCE})`;

type Flag = 'isGood' | 'isNeeded' | 'hasLogs' | 'hasArtifacts';
type PageRow = Omit<KeptBuild, Flag> & Readonly<Record<Flag, number>>;

export function retentionStore(
  { reader, writer }: Context,
  archive: ArchiveFolder,
  sealer: Pick<Sealer, 'dropped'>,
): RetentionStore {
  return {
    async projects() {
      const rows = await reader.all<{ project: string }>(PROJECTS);
      return rows.map(({ project }) => project);
    },
    async page(project, before, limit) {
      const rows = await reader.all<PageRow>(PAGE, project, before, limit);
      return rows.map(toKept);
    },
    async dropLogs(buildId, atMs) {
      sealer.dropped(await writer.write((transaction) => dropLogs(transaction, buildId, atMs)));
    },
    async removeFiles() {
      const waiting = await reader.all<{ id: number }>(REMOVALS);
      for (const { id } of waiting) await archive.remove(id);
      await writer.write(async (transaction) => {
        for (const { id } of waiting) {
          // A piece that was being sealed when the log was given up may have come meanwhile: its file was removed now.
          await transaction.run(DROP_EXTENTS, id);
          await transaction.run(REMOVED, id);
        }
      });
      return waiting.length;
    },
    async dropBuild(buildId, atMs) {
      const logs = await writer.write(async (transaction) => {
        const build = await transaction.get<{ requestId: number }>(FINISHED, buildId);
        if (!build) return undefined;
        const dropped = await dropLogs(transaction, buildId, atMs);
        await transaction.run(DROP_VIRTUAL, buildId);
        for (const table of OF_BUILD) await transaction.run(`DELETE FROM ${table} WHERE build_id = ?`, buildId);
        await transaction.run('DELETE FROM builds WHERE id = ?', buildId);
        await dropRequest(transaction, build.requestId);
        return dropped;
      });
      if (!logs) return false;
      sealer.dropped(logs);
      return true;
    },
    async dropUnbuilt(project, beforeMs) {
      // Looked for by the reader, which keeps no write waiting.
      const requests = await reader.all<{ id: number }>(UNBUILT, project, beforeMs);
      const changes = await reader.all<{ id: number }>(UNUSED_CHANGES, project, beforeMs);
      if (requests.length + changes.length === 0) return 0;
      return await writer.write(async (transaction) => {
        let dropped = 0;
        for (const { id } of requests) {
          if (!(await transaction.get(STILL_UNBUILT, id, beforeMs))) continue;
          await dropRequest(transaction, id);
          dropped += 1;
        }
        for (const { id } of changes) dropped += await transaction.run(DROP_CHANGE, id);
        return dropped;
      });
    },
    async dropConfigs(beforeMs) {
      return await writer.write((transaction) => transaction.run(DROP_CONFIGS, beforeMs));
    },
  };
}

function toKept(row: PageRow): KeptBuild {
  const { isGood, isNeeded, hasLogs, hasArtifacts } = row;
  const flags = {
    isGood: isGood === 1,
    isNeeded: isNeeded === 1,
    hasLogs: hasLogs === 1,
    hasArtifacts: hasArtifacts === 1,
  };
  return { ...row, ...flags };
}

/** Resolves to the logs that are gone. */
async function dropLogs(transaction: Transaction, buildId: number, atMs: number): Promise<readonly number[]> {
  const logs = (await transaction.all<{ id: number }>(LOGS, buildId)).map(({ id }) => id);
  if ((await transaction.run(GIVE_UP, atMs, buildId)) === 0) return [];
  for (const id of logs) {
    for (const sql of [DROP_CHUNKS, DROP_EXTENTS, REMOVE_LATER]) await transaction.run(sql, id);
    await transaction.run(DELETE_LOG, atMs, id);
  }
  return logs;
}

/** A request that ended and has no build, and its build set when it was the last of it. */
async function dropRequest(transaction: Transaction, requestId: number): Promise<void> {
  const request = await transaction.get<{ id: number; buildSetId: number }>(REQUEST, requestId);
  if (!request) return;
  await transaction.run('DELETE FROM request_upstreams WHERE request_id = ?1 OR upstream_id = ?1', requestId);
  await transaction.run('DELETE FROM build_requests WHERE id = ?', requestId);
  const set = await transaction.get<{ id: number; sourceId: number }>(SET, request.buildSetId);
  if (!set) return;
  for (const table of ['build_set_changes', 'scheduler_follows'])
    await transaction.run(`DELETE FROM ${table} WHERE build_set_id = ?`, set.id);
  await transaction.run('DELETE FROM build_sets WHERE id = ?', set.id);
  await transaction.run(DROP_SOURCE, set.sourceId);
}
