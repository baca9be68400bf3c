import type { CommandRecord } from '../../model/command.ts';
import type { CommandStore } from '../store.ts';
import { StoreError } from '../store.ts';
import type { Context } from './context.ts';
import { fromJson, present } from './row.ts';

const SELECT = `SELECT id, build_id AS buildId, step, key, kind, call, state, seen_by AS seenBy, answer,
  answered_as AS answeredAs FROM commands`;
const LIST = `${SELECT} WHERE build_id = ? ORDER BY seq`;
const FIND = `${SELECT} WHERE id = ?`;
const START = `INSERT INTO commands (id, build_id, step, key, kind, call, state) VALUES (?, ?, ?, ?, ?, ?, 'started')`;
const ADD_LOG = 'INSERT INTO logs (build_id, step, name, command) VALUES (?, ?, ?, ?) RETURNING id';
const FINISH = `UPDATE commands SET state = 'finished', answer = ?, answered_as = 1 + (
    SELECT coalesce(max(other.answered_as), 0) FROM commands other
    WHERE other.build_id = commands.build_id AND other.step = commands.step)
  WHERE id = ? AND state = 'started' RETURNING answered_as AS answeredAs`;
const MARK_SEEN = `UPDATE commands SET seen_by = coalesce(seen_by, ?) WHERE id = ? AND state = 'started'`;
const EXISTS = 'SELECT 1 FROM commands WHERE id = ?';

interface Row {
  readonly id: string;
  readonly buildId: number;
  readonly step: number;
  readonly key: string;
  readonly kind: string;
  readonly call: string;
  readonly state: CommandRecord['state'];
  readonly seenBy: string | null;
  readonly answer: string | null;
  readonly answeredAs: number | null;
}

export function commandStore({ reader, writer }: Context): CommandStore {
  return {
    async list(buildId) {
      const rows = await reader.all<Row>(LIST, buildId);
      return rows.map(toRecord);
    },
    async find(id) {
      const row = await reader.get<Row>(FIND, id);
      return row && toRecord(row);
    },
    async markSeen(id, installId) {
      await writer.write(async (transaction) => {
        if ((await transaction.run(MARK_SEEN, installId, id)) > 0 || (await transaction.get(EXISTS, id))) return;
        throw new StoreError('not-found', `there is no command ${id}`);
      });
    },
    start({ id, buildId, step, key, kind, call }, log) {
      return writer.write(async (transaction) => {
        await transaction.run(START, id, buildId, step, key, kind, JSON.stringify(call));
        if (!log) return undefined;
        const row = await transaction.returning<{ id: number }>(ADD_LOG, buildId, step, log.name, id);
        if (!row) throw new StoreError('conflict', `the log of command ${id} was not stored`);
        return { id: row.id, buildId, step, name: log.name, command: id, length: 0, lines: 0, isComplete: false };
      });
    },
    finish(id, answer) {
      return writer.write(async (transaction) => {
        const row = await transaction.returning<{ answeredAs: number }>(FINISH, JSON.stringify(answer), id);
        if (row) return row.answeredAs;
        if (await transaction.get(EXISTS, id)) {
          throw new StoreError('conflict', `command ${id} is answered already`);
        }
        throw new StoreError('not-found', `there is no command ${id}`);
      });
    },
  };
}

function toRecord({ answer, call, seenBy, answeredAs, ...row }: Row): CommandRecord {
  // An answer may itself be null: the state says whether there is one.
  const answered = answer === null ? {} : { answer: fromJson(answer) };
  return { ...row, call: fromJson(call), ...answered, ...present({ seenBy, answeredAs }) };
}
