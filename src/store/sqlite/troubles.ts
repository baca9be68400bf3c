import type { Trouble } from '../../model/trouble.ts';
import type { TroubleStore } from '../store.ts';
import type { Context } from './context.ts';
import { addMessages } from './outbox.ts';
import { orNull, present } from './row.ts';
import type { Nullable } from './row.ts';

const COLUMNS = 'id, worker, kind, since_ms AS sinceMs, until_ms AS untilMs, text, end_text AS endText, owner';
const OPEN = `SELECT ${COLUMNS} FROM troubles WHERE until_ms IS NULL ORDER BY id`;
const OF_WORKER = `SELECT ${COLUMNS} FROM troubles WHERE worker = ? ORDER BY id DESC LIMIT ?`;
const BEGIN = `INSERT INTO troubles (worker, kind, since_ms, text, owner)
  SELECT ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM troubles WHERE worker = ? AND kind = ? AND until_ms IS NULL)
  RETURNING id`;
const END = 'UPDATE troubles SET until_ms = ?, end_text = ? WHERE id = ? AND until_ms IS NULL';
const FORGET_OLD = `DELETE FROM troubles WHERE until_ms IS NOT NULL AND id <= (SELECT max(id) FROM troubles) - ?`;
/** So many of the newest, of all workers. */
const KEPT = 1_000;
const LIST_MOST = 1_000;

type Row = Nullable<Trouble>;

export function troubleStore({ reader, writer }: Context): TroubleStore {
  return {
    async open() {
      return (await reader.all<Row>(OPEN)).map(present);
    },
    async ofWorker(worker, limit) {
      return (await reader.all<Row>(OF_WORKER, worker, Math.min(limit, LIST_MOST))).map(present);
    },
    begin({ worker, kind, sinceMs, text, owner }, atMs, messages) {
      return writer.write(async (transaction) => {
        const values = [worker, kind, sinceMs, text, orNull(owner), worker, kind] as const;
        const row = await transaction.returning<{ id: number }>(BEGIN, ...values);
        if (!row) return undefined;
        await transaction.run(FORGET_OLD, KEPT);
        await addMessages(transaction, messages(row.id), atMs);
        return row.id;
      });
    },
    end(id, untilMs, endText, messages) {
      return writer.write(async (transaction) => {
        if ((await transaction.run(END, untilMs, endText, id)) === 0) return false;
        await addMessages(transaction, messages, untilMs);
        return true;
      });
    },
  };
}
