import type { JsonObject } from '../../model/json.ts';
import type { AuditStore } from '../store.ts';
import type { Context } from './context.ts';
import { fromJson, present } from './row.ts';

const ADD = 'INSERT INTO audit_log (at_ms, who, action, target, detail) VALUES (?, ?, ?, ?, ?)';
const LIST = 'SELECT at_ms AS atMs, who, action, target, detail FROM audit_log ORDER BY id DESC LIMIT ?';
const LIST_MOST = 1_000;

interface Row {
  readonly atMs: number;
  readonly who: string;
  readonly action: string;
  readonly target: string;
  readonly detail: string | null;
}

export function auditStore({ reader, writer }: Context): AuditStore {
  return {
    async add({ atMs, who, action, target, detail }) {
      const text = detail === undefined ? null : JSON.stringify(detail);
      await writer.write((transaction) => transaction.run(ADD, atMs, who, action, target, text));
    },
    async list(limit) {
      const rows = await reader.all<Row>(LIST, Math.min(limit, LIST_MOST));
      return rows.map(({ detail, ...row }) =>
        present({ ...row, detail: detail === null ? null : (fromJson(detail) as JsonObject) }),
      );
    },
  };
}
