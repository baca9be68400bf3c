import type { SourceRecord, SourceStore } from '../store.ts';
import type { Context } from './context.ts';
import { orNull, present } from './row.ts';
import type { Nullable } from './row.ts';
import type { Transaction } from './batch-writer.ts';

const LIST = `SELECT url, polled_at_ms AS polledAtMs, error, error_since_ms AS errorSinceMs, failures,
    mirror_bytes AS mirrorBytes
  FROM sources ORDER BY url`;
const PUT = `INSERT INTO sources (url, polled_at_ms, error, error_since_ms, failures, mirror_bytes) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (url) DO UPDATE SET polled_at_ms = excluded.polled_at_ms, error = excluded.error,
    error_since_ms = excluded.error_since_ms, failures = excluded.failures, mirror_bytes = excluded.mirror_bytes`;
const PROGRESS = 'SELECT url, wants FROM source_progress WHERE project = ? AND url = ?';
const BEGIN = `INSERT INTO source_progress (project, url, wants) VALUES (?, ?, ?)
  ON CONFLICT (project) DO UPDATE SET url = excluded.url, wants = excluded.wants`;
const SET_WANTS = 'UPDATE source_progress SET wants = ? WHERE project = ?';
const TIPS = 'SELECT ref, revision FROM source_tips WHERE project = ?';
const FORGET = 'DELETE FROM source_tips WHERE project = ?';
const SET_TIPS = `INSERT INTO source_tips (project, ref, revision) SELECT ?, key, value FROM json_each(?) WHERE true
  ON CONFLICT (project, ref) DO UPDATE SET revision = excluded.revision`;
const REMOVE_TIPS = 'DELETE FROM source_tips WHERE project = ? AND ref IN (SELECT value FROM json_each(?))';

interface Tip {
  readonly ref: string;
  readonly revision: string;
}

export function sourceStore({ reader, writer }: Context): SourceStore {
  return {
    async list() {
      return (await reader.all<Nullable<SourceRecord>>(LIST)).map(present);
    },
    async polled({ url, polledAtMs, error, errorSinceMs, failures, mirrorBytes }) {
      await writer.write((transaction) =>
        transaction.run(PUT, url, polledAtMs, orNull(error), orNull(errorSinceMs), failures, mirrorBytes),
      );
    },
    async progress(project, url) {
      const row = await reader.get<{ readonly wants: string }>(PROGRESS, project, url);
      if (!row) return undefined;
      const tips = await reader.all<Tip>(TIPS, project);
      return { wants: row.wants, tips: new Map(tips.map(({ ref, revision }) => [ref, revision])) };
    },
    async begin(project, { url, wants, tips }) {
      await writer.write(async (transaction) => {
        await transaction.run(FORGET, project);
        await transaction.run(BEGIN, project, url, wants);
        await setTips(transaction, project, tips);
      });
    },
    async setTips(project, { tips, gone = [], wants }) {
      await writer.write(async (transaction) => {
        await setTips(transaction, project, tips);
        if (gone.length > 0) await transaction.run(REMOVE_TIPS, project, JSON.stringify(gone));
        if (wants !== undefined) await transaction.run(SET_WANTS, wants, project);
      });
    },
  };
}

async function setTips(transaction: Transaction, project: string, tips: ReadonlyMap<string, string>): Promise<void> {
  if (tips.size > 0) await transaction.run(SET_TIPS, project, JSON.stringify(Object.fromEntries(tips)));
}
