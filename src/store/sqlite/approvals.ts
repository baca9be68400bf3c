import type { SourceStamp } from '../../model/source-stamp.ts';
import type { ApprovalStore, NewBuildSet } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import type { Context } from './context.ts';
import { orNull } from './row.ts';

const ADD = `INSERT INTO approvals (project, revision, approved_by, at_ms) VALUES (?, ?, ?, ?)
  ON CONFLICT (project, revision) DO NOTHING`;
const FIND = 'SELECT approved_by AS approvedBy FROM approvals WHERE project = ? AND revision = ?';
const WAITING = `SELECT DISTINCT s.id FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id
    JOIN source_stamps p ON p.id = s.source_stamp_id
  WHERE r.state = 'pending' AND r.project = ? AND s.approval = 'needed' AND p.revision = ?`;
const UNAPPROVED = `SELECT 1 FROM build_requests r WHERE r.build_set_id = ?
    AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.project = r.project AND a.revision = ?) LIMIT 1`;
const LET_GO = `UPDATE build_sets SET approval = 'given' WHERE id = ?`;
const REQUESTS = `SELECT id FROM build_requests WHERE build_set_id = ? AND state = 'pending' ORDER BY id`;

const PARENT = `SELECT p.untrusted_of AS untrustedOf FROM builds b JOIN build_requests r ON r.id = b.request_id
    JOIN build_sets s ON s.id = r.build_set_id JOIN source_stamps p ON p.id = s.source_stamp_id
  WHERE b.id = ?`;

export function approvalStore({ reader, writer }: Context): ApprovalStore {
  return {
    async find(project, revision) {
      return (await reader.get<{ approvedBy: string }>(FIND, project, revision))?.approvedBy;
    },
    approve({ project, revision, by, atMs }) {
      return writer.write(async (transaction) => {
        await transaction.run(ADD, project, revision, by, atMs);
        const requests: number[] = [];
        for (const { id } of await transaction.all<{ id: number }>(WAITING, project, revision)) {
          // A set of several projects waits for each of them.
          if (await transaction.get(UNAPPROVED, id, revision)) continue;
          await transaction.run(LET_GO, id);
          requests.push(...(await transaction.all<{ id: number }>(REQUESTS, id)).map((request) => request.id));
        }
        return requests;
      });
    },
  };
}

/**
 * The source of a new build set, marked as a fork's when what triggers it is, and whether somebody has approved it. A child may be of
 * any revision: it begins only while its parent runs, whose revision was approved.
 */
export async function trustOf(
  transaction: Transaction,
  { source, parent, builders }: Pick<NewBuildSet, 'source' | 'parent' | 'builders'>,
): Promise<{ readonly source: SourceStamp; readonly approval?: 'needed' | 'given' }> {
  const above = parent && (await transaction.get<{ untrustedOf: string | null }>(PARENT, parent.buildId));
  const untrustedOf = above?.untrustedOf ?? undefined;
  if (untrustedOf !== undefined) return { source: { untrustedOf, ...source }, approval: 'given' };
  if (source.untrustedOf === undefined) return { source };
  for (const project of new Set(builders.map((builder) => builder.project))) {
    const isApproved = await transaction.get(FIND, project, orNull(source.revision));
    if (!isApproved) return { source, approval: 'needed' };
  }
  return { source, approval: 'given' };
}
