import { ENDED_KEPT, MOST_WAITING } from '../../model/outbox.ts';
import type { NewMessage, OutboxMessage, OutboxState } from '../../model/outbox.ts';
import type { OutboxStore } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import type { Context } from './context.ts';
import { fromJson, mustBeOne, present } from './row.ts';
import type { Nullable } from './row.ts';

const COLUMNS = `id, key, reporter, receiver AS "to", subject, body, state, attempts, created_at_ms AS createdAtMs,
  waits_since_ms AS waitsSinceMs, next_try_ms AS nextTryMs, ended_at_ms AS endedAtMs, last_error AS lastError`;
const LIST = `SELECT ${COLUMNS} FROM outbox ORDER BY id DESC LIMIT ?`;
const FIND = `SELECT ${COLUMNS} FROM outbox WHERE id = ?`;
const NEXT = `SELECT ${COLUMNS} FROM outbox WHERE state = 'waiting' AND reporter = ? ORDER BY next_try_ms, id LIMIT 1`;
const REPORTERS = `SELECT DISTINCT reporter FROM outbox WHERE state = 'waiting'`;
const ADD = `INSERT INTO outbox (key, reporter, receiver, subject, body, state, attempts, created_at_ms, waits_since_ms, next_try_ms)
  VALUES (?, ?, ?, ?, ?, 'waiting', 0, ?, ?, ?)`;
const GIVE_UP_OLDEST = `UPDATE outbox SET state = 'given-up', ended_at_ms = ?, last_error = ? WHERE state = 'waiting' AND id <=
  (SELECT id FROM outbox WHERE state = 'waiting' ORDER BY id DESC LIMIT 1 OFFSET ?)`;
const GIVE_UP_OF = `UPDATE outbox SET state = 'given-up', ended_at_ms = ?, last_error = ? WHERE state = 'waiting' AND reporter = ?`;
const SENT = `UPDATE outbox SET state = 'sent', attempts = attempts + 1, ended_at_ms = ?, last_error = NULL WHERE id = ?`;
const PUT_OFF = `UPDATE outbox SET attempts = attempts + 1, next_try_ms = ?, last_error = ? WHERE id = ? AND state = 'waiting'`;
const GIVE_UP = `UPDATE outbox SET state = 'given-up', attempts = attempts + 1, ended_at_ms = ?, last_error = ?
  WHERE id = ? AND state = 'waiting'`;
const RETRY = `UPDATE outbox SET state = 'waiting', attempts = 0, waits_since_ms = ?, next_try_ms = ?, ended_at_ms = NULL
  WHERE id = ? AND state <> 'sent'`;
const DROP = 'DELETE FROM outbox WHERE id = ?';
const FORGET_OLD = 'DELETE FROM outbox WHERE state = ? AND ended_at_ms < ?';
const FORGET_MANY = `DELETE FROM outbox WHERE state = ? AND id <=
  (SELECT id FROM outbox WHERE state = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`;
const LIST_MOST = 1_000;
const TOO_MANY = `more than ${MOST_WAITING} messages waited, and this was the oldest`;

type Row = Omit<Nullable<OutboxMessage>, 'body'> & { readonly body: string };

export function outboxStore({ reader, writer }: Context): OutboxStore {
  return {
    async list(limit) {
      return (await reader.all<Row>(LIST, Math.min(limit, LIST_MOST))).map(messageOf);
    },
    async find(id) {
      const row = await reader.get<Row>(FIND, id);
      return row && messageOf(row);
    },
    async next(reporter) {
      const row = await reader.get<Row>(NEXT, reporter);
      return row && messageOf(row);
    },
    async reporters() {
      return (await reader.all<{ readonly reporter: string }>(REPORTERS)).map(({ reporter }) => reporter);
    },
    async sent(id, atMs) {
      await writer.write(async (transaction) => {
        await transaction.run(SENT, atMs, id);
        await forgetEnded(transaction, atMs);
      });
    },
    async putOff(id, error, nextTryMs) {
      await writer.write((transaction) => transaction.run(PUT_OFF, nextTryMs, error, id));
    },
    async giveUp(id, error, atMs) {
      await writer.write(async (transaction) => {
        await transaction.run(GIVE_UP, atMs, error, id);
        await forgetEnded(transaction, atMs);
      });
    },
    async giveUpOf(reporter, error, atMs) {
      await writer.write(async (transaction) => {
        await transaction.run(GIVE_UP_OF, atMs, error, reporter);
        await forgetEnded(transaction, atMs);
      });
    },
    async retry(id, atMs) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(RETRY, atMs, atMs, id), `message ${id} that was not sent`);
      });
    },
    async drop(id) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(DROP, id), `message ${id}`);
      });
    },
  };
}

/** In the transaction of what is told: both are kept, or neither. */
export async function addMessages(
  transaction: Transaction,
  messages: readonly NewMessage[],
  atMs: number,
): Promise<void> {
  if (messages.length === 0) return;
  for (const { key, reporter, to, subject, body } of messages) {
    await transaction.run(ADD, key, reporter, to, subject, JSON.stringify(body), atMs, atMs, atMs);
  }
  if ((await transaction.run(GIVE_UP_OLDEST, atMs, TOO_MANY, MOST_WAITING)) > 0) await forgetEnded(transaction, atMs);
}

async function forgetEnded(transaction: Transaction, nowMs: number): Promise<void> {
  const ended: readonly OutboxState[] = ['sent', 'given-up'];
  for (const state of ended) {
    await transaction.run(FORGET_OLD, state, nowMs - ENDED_KEPT.ms);
    await transaction.run(FORGET_MANY, state, state, ENDED_KEPT.messages);
  }
}

function messageOf({ body, ...row }: Row): OutboxMessage {
  return { ...present(row), body: fromJson(body) as OutboxMessage['body'] };
}
