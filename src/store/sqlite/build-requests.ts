import type { BuildRequest } from '../../model/build-request.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Result } from '../../model/result.ts';
import type { KnownRequest, RequestStore } from '../store.ts';
import { StoreError } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import { claimRequest, noLongerPending } from './claim-request.ts';
import type { Context } from './context.ts';
import { fromJson, orNull, present } from './row.ts';

const SELECT = `SELECT r.id, r.build_set_id AS buildSetId, r.project, r.builder, s.priority, s.reason, s.owner, s.properties,
    s.submitted_at_ms AS submittedAtMs, p.repository, p.branch, p.revision, r.state, r.result,
    (SELECT max(b.id) FROM builds b WHERE b.request_id = r.id) AS buildId
  FROM build_requests r JOIN build_sets s ON s.id = r.build_set_id JOIN source_stamps p ON p.id = s.source_stamp_id`;
const PENDING = `${SELECT} WHERE r.state = 'pending' ORDER BY r.id`;
const FIND = `${SELECT} WHERE r.id = ?`;
const ADD_SOURCE = 'INSERT INTO source_stamps (repository, branch, revision) VALUES (?, ?, ?) RETURNING id';
const ADD_SET = `INSERT INTO build_sets (source_stamp_id, reason, owner, properties, priority, submitted_at_ms)
  VALUES (?, ?, ?, ?, ?, ?) RETURNING id`;
const ADD = `INSERT INTO build_requests (build_set_id, project, builder, state) VALUES (?, ?, ?, 'pending') RETURNING id`;
const CANCEL = `UPDATE build_requests SET state = 'finished', result = 'cancelled', summary = ?, finished_at_ms = ?
  WHERE id = ? AND state = 'pending'`;

interface Row {
  readonly id: number;
  readonly buildSetId: number;
  readonly project: string;
  readonly builder: string;
  readonly priority: number;
  readonly reason: string;
  readonly owner: string;
  readonly properties: string;
  readonly submittedAtMs: number;
  readonly repository: string | null;
  readonly branch: string | null;
  readonly revision: string | null;
  readonly state: KnownRequest['state'];
  readonly result: Result | null;
  readonly buildId: number | null;
}

export function requestStore({ reader, writer }: Context): RequestStore {
  return {
    add(set) {
      return writer.write(async (transaction) => {
        const { repository, branch, revision } = set.source;
        const source = await idOf(transaction, ADD_SOURCE, orNull(repository), orNull(branch), orNull(revision));
        const properties = JSON.stringify(set.properties);
        const { reason, owner, priority, atMs } = set;
        const buildSetId = await idOf(transaction, ADD_SET, source, reason, owner, properties, priority, atMs);
        const requests: BuildRequest[] = [];
        for (const { project, builder } of set.builders) {
          const id = await idOf(transaction, ADD, buildSetId, project, builder);
          requests.push({
            id,
            buildSetId,
            project,
            builder,
            priority,
            reason,
            owner,
            source: present({
              repository: orNull(repository),
              branch: orNull(branch),
              revision: orNull(revision),
            }),
            properties: set.properties,
            submittedAtMs: atMs,
          });
        }
        return requests;
      });
    },
    async pending() {
      const rows = await reader.all<Row>(PENDING);
      return rows.map((row) => ({ ...toRequest(row), ...present({ buildId: row.buildId }) }));
    },
    async find(id) {
      const row = await reader.get<Row>(FIND, id);
      return row && { ...toRequest(row), state: row.state, ...present({ buildId: row.buildId, result: row.result }) };
    },
    claim: (claim) => writer.write((transaction) => claimRequest(transaction, claim)),
    async cancel(id, reason, atMs) {
      await writer.write(async (transaction) => {
        if ((await transaction.run(CANCEL, reason, atMs, id)) > 0) return;
        throw await noLongerPending(transaction, id);
      });
    },
  };
}

async function idOf(transaction: Transaction, sql: string, ...values: readonly (string | number | null)[]) {
  const row = await transaction.returning<{ id: number }>(sql, ...values);
  if (!row) throw new StoreError('conflict', 'a row was not stored');
  return row.id;
}

function toRequest(row: Row): BuildRequest {
  const { repository, branch, revision, properties, state: _state, result: _result, buildId: _buildId, ...rest } = row;
  return { ...rest, source: present({ repository, branch, revision }), properties: fromJson(properties) as JsonObject };
}
