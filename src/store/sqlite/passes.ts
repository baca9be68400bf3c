import type { Pass } from '../../model/pass.ts';
import type { PassStore } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import type { Context } from './context.ts';
import { fromJson, mustBeOne, orNull, present } from './row.ts';
import type { Nullable } from './row.ts';

const COLUMNS = `id, kind, who, secret_sha256 AS secretSha256, label, role, keys, made_at_ms AS madeAtMs,
    expires_at_ms AS expiresAtMs`;
const FIND = `SELECT ${COLUMNS} FROM passes WHERE id = ?`;
const LIST = `SELECT ${COLUMNS} FROM passes ORDER BY made_at_ms, id`;
const ADD = `INSERT INTO passes (id, kind, who, secret_sha256, label, role, keys, made_at_ms, expires_at_ms)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const REMOVE = 'DELETE FROM passes WHERE id = ?';
const REMOVE_OF = 'DELETE FROM passes WHERE who = ?';
const REMOVE_EXPIRED = 'DELETE FROM passes WHERE expires_at_ms <= ?';

type Row = Omit<Nullable<Pass>, 'keys'> & { readonly keys: string };

export function passStore({ reader, writer }: Context): PassStore {
  return {
    async find(id) {
      const row = await reader.get<Row>(FIND, id);
      return row && passOf(row);
    },
    async list() {
      return (await reader.all<Row>(LIST)).map(passOf);
    },
    async add(pass) {
      await writer.write((transaction) => add(transaction, pass));
    },
    async exchange(id, pass) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(REMOVE, id), `pass ${id}`);
        await add(transaction, pass);
      });
    },
    async remove(id) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(REMOVE, id), `pass ${id}`);
      });
    },
    async removeOf(who) {
      await writer.write((transaction) => transaction.run(REMOVE_OF, who));
    },
    async removeExpired(nowMs) {
      await writer.write((transaction) => transaction.run(REMOVE_EXPIRED, nowMs));
    },
  };
}

function add(transaction: Transaction, pass: Pass): Promise<number> {
  const { id, kind, who, secretSha256, label, role, keys, madeAtMs, expiresAtMs } = pass;
  const list = JSON.stringify(keys);
  return transaction.run(ADD, id, kind, who, secretSha256, label, orNull(role), list, madeAtMs, expiresAtMs);
}

function passOf({ keys, ...row }: Row): Pass {
  return { ...present(row), keys: fromJson(keys) as readonly string[] };
}
