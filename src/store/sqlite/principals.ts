import type { Principal, PublicKey, Role } from '../../model/principal.ts';
import type { PrincipalStore } from '../store.ts';
import type { Context } from './context.ts';
import { fromJson, mustBeOne, orNull, present } from './row.ts';

const LIST = 'SELECT name, role, keys, source, revoked_at_ms AS revokedAtMs FROM principals ORDER BY name';
const PUT = `INSERT INTO principals (name, role, keys, source, revoked_at_ms) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET role = excluded.role, keys = excluded.keys, source = excluded.source,
    revoked_at_ms = excluded.revoked_at_ms`;
const REVOKE = 'UPDATE principals SET revoked_at_ms = ? WHERE name = ?';
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
      return rows.map(({ keys, ...row }) => ({
        ...present(row),
        keys: fromJson(keys) as unknown as readonly PublicKey[],
      }));
    },
    async put({ name, role, keys, source, revokedAtMs }) {
      await writer.write((transaction) =>
        transaction.run(PUT, name, role, JSON.stringify(keys), source, orNull(revokedAtMs)),
      );
    },
    async revoke(name, atMs) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(REVOKE, atMs, name), `worker or person named ${name}`);
      });
    },
    async remove(name) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(REMOVE, name), `worker or person named ${name}`);
      });
    },
  };
}
