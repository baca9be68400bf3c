import type { Artifact } from '../../model/artifact.ts';
import type { ArtifactStore } from '../artifact-store.ts';
import { StoreError } from '../store.ts';
import type { Context } from './context.ts';
import { orNull } from './row.ts';

const COLUMNS =
  'a.build_id AS buildId, a.project, a.builder, a.step, a.name, a.sha256, a.size, a.kept_at_ms AS keptAtMs';
const ADD = `INSERT INTO artifacts (build_id, project, builder, step, name, sha256, size, kept_at_ms)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (build_id, name) DO NOTHING`;
const LIST = `SELECT ${COLUMNS} FROM artifacts a WHERE a.build_id = ? ORDER BY a.name`;
const FIND = `SELECT ${COLUMNS} FROM artifacts a WHERE a.build_id = ? AND a.name = ?`;
const COUNT = 'SELECT count(*) AS n FROM artifacts WHERE build_id = ?';
export const LAST_GOOD = `SELECT ${COLUMNS} FROM artifacts a JOIN builds b ON b.id = a.build_id
    JOIN build_requests r ON r.id = b.request_id JOIN build_sets s ON s.id = r.build_set_id
    JOIN source_stamps p ON p.id = s.source_stamp_id
  WHERE a.project = ?1 AND a.name = ?2 AND (?3 IS NULL OR a.builder = ?3) AND b.result IN ('success', 'warnings')
    AND p.untrusted_of IS NULL AND p.patch_id IS NULL
  ORDER BY a.build_id DESC LIMIT 1`;
const REFERENCED = `SELECT h.value AS sha256 FROM json_each(?) h WHERE EXISTS (SELECT 1 FROM artifacts WHERE sha256 = h.value)`;
const HASHES_OF = 'SELECT DISTINCT sha256 FROM artifacts WHERE build_id = ?';
const REMOVE = 'DELETE FROM artifacts WHERE build_id = ?';

export function artifactStore({ reader, writer }: Context): ArtifactStore {
  return {
    async add({ buildId, project, builder, step, name, sha256, size, keptAtMs }) {
      await writer.write(async (transaction) => {
        const added = await transaction.run(ADD, buildId, project, builder, step, name, sha256, size, keptAtMs);
        if (added === 0) throw new StoreError('conflict', `build ${buildId} has an artifact "${name}" already`);
      });
    },
    list: (buildId) => reader.all<Artifact>(LIST, buildId),
    find: (buildId, name) => reader.get<Artifact>(FIND, buildId, name),
    async count(buildId) {
      return (await reader.get<{ n: number }>(COUNT, buildId))?.n ?? 0;
    },
    lastGood: ({ project, name, builder }) => reader.get<Artifact>(LAST_GOOD, project, name, orNull(builder)),
    async referenced(hashes) {
      const rows = await reader.all<{ sha256: string }>(REFERENCED, JSON.stringify(hashes));
      return new Set(rows.map(({ sha256 }) => sha256));
    },
    removeOf(buildId) {
      return writer.write(async (transaction) => {
        const hashes = (await transaction.all<{ sha256: string }>(HASHES_OF, buildId)).map(({ sha256 }) => sha256);
        await transaction.run(REMOVE, buildId);
        const rows = await transaction.all<{ sha256: string }>(REFERENCED, JSON.stringify(hashes));
        const left = new Set(rows.map(({ sha256 }) => sha256));
        return hashes.filter((sha256) => !left.has(sha256));
      });
    },
  };
}
