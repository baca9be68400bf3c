import type { AccessByProject } from '../../model/access.ts';
import type { ConfigStore } from '../store.ts';
import { StoreError } from '../store.ts';
import type { Context } from './context.ts';
import { keepRules } from './request-rules.ts';

const PUT =
  'INSERT INTO configs (hash, bundle, at_ms) VALUES (?, ?, ?) ON CONFLICT (hash) DO UPDATE SET at_ms = excluded.at_ms';
const EXISTS = 'SELECT 1 FROM configs WHERE hash = ?';
const ACTIVATE = `INSERT INTO settings (name, value) VALUES ('active_config', ?)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
const KEEP_ACCESS = `INSERT INTO settings (name, value) VALUES ('project_access', ?)
  ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
const ACCESS = `SELECT value FROM settings WHERE name = 'project_access'`;
const ACTIVE = `SELECT value FROM settings WHERE name = 'active_config'`;
const BUNDLE = 'SELECT bundle FROM configs WHERE hash = ?';

export function configStore({ reader, writer }: Context): ConfigStore {
  return {
    async put({ hash, bundle, atMs }) {
      await writer.write((transaction) => transaction.run(PUT, hash, bundle, atMs), bundle.byteLength);
    },
    async activate(hash, access, rules = []) {
      await writer.write(async (transaction) => {
        if (!(await transaction.get(EXISTS, hash))) throw new StoreError('not-found', `there is no config ${hash}`);
        await transaction.run(ACTIVATE, hash);
        await transaction.run(KEEP_ACCESS, JSON.stringify(access));
        await keepRules(transaction, rules);
      });
    },
    async access() {
      const row = await reader.get<{ value: string }>(ACCESS);
      return row ? (JSON.parse(row.value) as AccessByProject) : {};
    },
    async active() {
      return (await reader.get<{ value: string }>(ACTIVE))?.value;
    },
    async bundle(hash) {
      return (await reader.get<{ bundle: Uint8Array }>(BUNDLE, hash))?.bundle;
    },
  };
}
