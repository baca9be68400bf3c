import type { Principal, PublicKey, Role } from '../../model/principal.ts';
import type { PrincipalStore } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import type { Context } from './context.ts';
import { fromJson, mustBeOne, orNull, present } from './row.ts';

const COLUMNS = 'name, role, keys, source, revoked_at_ms AS revokedAtMs';
const LIST = `SELECT ${COLUMNS} FROM principals ORDER BY name`;
const FIND = `SELECT ${COLUMNS} FROM principals WHERE name = ?`;
const PUT = `INSERT INTO principals (name, role, keys, source, revoked_at_ms) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET role = excluded.role, keys = excluded.keys, source = excluded.source,
    revoked_at_ms = excluded.revoked_at_ms`;
const REVOKE = 'UPDATE principals SET revoked_at_ms = ? WHERE name = ?';
/** Who is shut out is not let in again by what was open before. */
const CLOSE_INVITATION = 'DELETE FROM invitations WHERE worker = ? AND used_at_ms IS NULL';
const BURY_WORKER = `UPDATE principals SET revoked_at_ms = ? WHERE name = ? AND role = 'worker' AND revoked_at_ms IS NULL`;
const REMOVE = 'DELETE FROM principals WHERE name = ?';

interface Row {
  readonly name: string;
  readonly role: Role;
  readonly keys: string;
  readonly source: Principal['source'];
  readonly revokedAtMs: number | null;
}

export function principalStore({ reader, writer }: Context): PrincipalStore {
  return {
    async list() {
      const rows = await reader.all<Row>(LIST);
      return rows.map(toPrincipal);
    },
    async put(principal) {
      await writer.write((transaction) => putPrincipal(transaction, principal));
    },
    async revoke(name, atMs) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(REVOKE, atMs, name), `worker or person named ${name}`);
        await transaction.run(CLOSE_INVITATION, name);
      });
    },
    async remove(name) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(REMOVE, name), `worker or person named ${name}`);
      });
    },
  };
}

/** For a transaction that does more besides. */
export async function findPrincipal(transaction: Transaction, name: string): Promise<Principal | undefined> {
  const row = await transaction.get<Row>(FIND, name);
  return row && toPrincipal(row);
}

export async function putPrincipal(
  transaction: Transaction,
  { name, role, keys, source, revokedAtMs }: Principal,
): Promise<void> {
  await transaction.run(PUT, name, role, JSON.stringify(keys), source, orNull(revokedAtMs));
}

/** For a transaction that does more besides: nothing when the name is no worker's, or was withdrawn already. */
export async function buryWorker(transaction: Transaction, name: string, atMs: number): Promise<void> {
  if ((await transaction.run(BURY_WORKER, atMs, name)) > 0) await transaction.run(CLOSE_INVITATION, name);
}

function toPrincipal({ keys, ...row }: Row): Principal {
  return { ...present(row), keys: fromJson(keys) as unknown as readonly PublicKey[] };
}
