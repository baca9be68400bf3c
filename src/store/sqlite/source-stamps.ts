import type { SourceStamp } from '../../model/source-stamp.ts';
import { StoreError } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import { orNull, present } from './row.ts';

/** The columns of a source stamp, whose table is `p` in the query. */
export const SOURCE_COLUMNS = `p.repository, p.branch, p.revision, p.patch_id AS patchId, p.patch_sha256 AS patchSha256,
    p.patch_bytes AS patchBytes, p.untrusted_of AS untrustedOf`;
const ADD = `INSERT INTO source_stamps (repository, branch, revision, patch_id, patch_sha256, patch_bytes, untrusted_of)
  VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`;

export interface SourceRow {
  readonly repository: string | null;
  readonly branch: string | null;
  readonly revision: string | null;
  readonly patchId: string | null;
  readonly patchSha256: string | null;
  readonly patchBytes: number | null;
  readonly untrustedOf: string | null;
}

/** Resolves to the row's id. */
export async function addSource(transaction: Transaction, source: SourceStamp): Promise<number> {
  const { repository, branch, revision, patch, untrustedOf } = source;
  const row = await transaction.returning<{ id: number }>(
    ADD,
    orNull(repository),
    orNull(branch),
    orNull(revision),
    orNull(patch?.id),
    orNull(patch?.sha256),
    orNull(patch?.bytes),
    orNull(untrustedOf),
  );
  if (!row) throw new StoreError('conflict', 'a source stamp was not stored');
  return row.id;
}

/** The source stamp of a row, and what else is in the row. */
export function splitSource<T extends SourceRow>(row: T): [SourceStamp, Omit<T, keyof SourceRow>] {
  const { repository, branch, revision, patchId, patchSha256, patchBytes, untrustedOf, ...rest } = row;
  const patch =
    patchId === null || patchSha256 === null || patchBytes === null
      ? undefined
      : { id: patchId, sha256: patchSha256, bytes: patchBytes };
  return [{ ...present({ repository, branch, revision, untrustedOf }), ...(patch && { patch }) }, rest];
}
