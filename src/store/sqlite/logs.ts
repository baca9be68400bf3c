import type { Log, LogChunk } from '../../model/log.ts';
import type { ArchiveFolder } from '../archive/archive-folder.ts';
import { readLog } from '../archive/read-log.ts';
import type { Sealer } from '../archive/sealer.ts';
import { verifyChunk } from '../archive/verify-chunk.ts';
import type { LogStore } from '../store.ts';
import { StoreError } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import type { Context } from './context.ts';
import { InTurn } from './in-turn.ts';
import { present } from './row.ts';

const COLUMNS =
  'id, build_id AS buildId, step, name, command, length, lines, is_complete AS isComplete, deleted_at_ms AS deletedAtMs';
const LIST = `SELECT ${COLUMNS} FROM logs WHERE build_id = ? ORDER BY id`;
const FIND = `SELECT ${COLUMNS} FROM logs WHERE id = ?`;
const FIND_BY_COMMAND = `SELECT ${COLUMNS} FROM logs WHERE command = ?`;
const ADVANCE = `UPDATE logs SET length = length + ?, lines = lines + ? WHERE id = ? AND length = ? AND is_complete = 0`;
const ADD_CHUNK = `INSERT INTO log_chunks (log_id, offset, length, lines, at_ms, codec, size, body)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const COMPLETE = `UPDATE logs SET is_complete = 1, completed_at_ms = coalesce(completed_at_ms, ?) WHERE id = ?`;

/** Head and blocks of a gzip member, at most: not the writer's doing, who sent the bytes as they are when gzip makes them no fewer. */
const MEMBER_HEAD_BYTES = 512;
const WEIGH = `SELECT coalesce(sum(weight), 0) AS weight FROM (
  SELECT CASE WHEN codec IN ('hole', 'cut') THEN ?2 ELSE max(length, size) END AS weight FROM log_chunks WHERE log_id = ?1
  UNION ALL
  SELECT CASE WHEN codec IN ('hole', 'cut') THEN ?2 ELSE max(length, file_length - ${MEMBER_HEAD_BYTES}) END FROM log_extents WHERE log_id = ?1)`;

const WHOLE_FROM = `SELECT coalesce(max(stop), 0) AS wholeFrom FROM (
  SELECT max(offset + length) AS stop FROM log_chunks WHERE log_id = ?1 AND codec IN ('hole', 'cut')
  UNION ALL
  SELECT max(offset + length) FROM log_extents WHERE log_id = ?1 AND codec IN ('hole', 'cut'))`;

type Row = Omit<Log, 'isComplete' | 'deletedAtMs'> & {
  readonly isComplete: number;
  readonly deletedAtMs: number | null;
};

export function logStore({ reader, writer }: Context, archive: ArchiveFolder, sealer: Sealer): LogStore {
  const turns = new InTurn();
  const find = async (logId: number): Promise<Log | undefined> => {
    const row = await reader.get<Row>(FIND, logId);
    return row && toLog(row);
  };
  return {
    async list(buildId) {
      const rows = await reader.all<Row>(LIST, buildId);
      return rows.map(toLog);
    },
    find,
    async findByCommand(command) {
      const row = await reader.get<Row>(FIND_BY_COMMAND, command);
      return row && toLog(row);
    },
    async wholeFrom(logId) {
      return (await reader.get<{ wholeFrom: number }>(WHOLE_FROM, logId))?.wholeFrom ?? 0;
    },
    async weigh(logId, holeWeight) {
      return (await reader.get<{ weight: number }>(WEIGH, logId, holeWeight))?.weight ?? 0;
    },
    async append(logId, chunk) {
      const size = chunk.body.byteLength;
      const checked = sealer.room().then(() => verifyChunk(chunk));
      await turns.take(logId, checked, () =>
        writer.write((transaction) => appendChunk(transaction, logId, chunk), size),
      );
      sealer.appended(logId, size);
    },
    async complete(logId, atMs) {
      await turns.take(logId, Promise.resolve(), () =>
        writer.write(async (transaction) => {
          const changes = await transaction.run(COMPLETE, atMs, logId);
          if (changes === 0) throw new StoreError('not-found', `there is no log ${logId}`);
        }),
      );
      sealer.completed(logId);
    },
    async *read(logId, from, to) {
      const log = await find(logId);
      if (!log) throw new StoreError('not-found', `there is no log ${logId}`);
      try {
        if (log.deletedAtMs === undefined)
          return yield* readLog(reader, archive, logId, Math.max(0, from), Math.min(to, log.length));
      } catch (error) {
        // It may have been deleted meanwhile.
        const now = await find(logId);
        if (now && now.deletedAtMs === undefined) throw error;
      }
      throw new StoreError('gone', `log ${logId} was deleted`);
    },
  };
}

async function appendChunk(transaction: Transaction, logId: number, chunk: LogChunk): Promise<void> {
  const { offset, length, lines, atMs, codec, body } = chunk;
  if ((await transaction.run(ADVANCE, length, lines, logId, offset)) > 0) {
    await transaction.run(ADD_CHUNK, logId, offset, length, lines, atMs, codec, body.byteLength, body);
    return;
  }
  const row = await transaction.get<Row>(FIND, logId);
  if (!row) throw new StoreError('not-found', `there is no log ${logId}`);
  if (row.length !== offset) {
    throw new StoreError('wrong-offset', `log ${logId} goes on at ${row.length}, not ${offset}`, {
      wanted: row.length,
    });
  }
  throw new StoreError('bad-chunk', `log ${logId} is complete: nothing can be added to it`);
}

function toLog({ isComplete, deletedAtMs, ...row }: Row): Log {
  return { ...row, isComplete: isComplete === 1, ...present({ deletedAtMs }) };
}
