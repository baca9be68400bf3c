import type { HookDeliveryStore } from '../store.ts';
import type { Context } from './context.ts';

/** GitHub lets a delivery be sent again for three days, Gitea for as long as it has it. */
const KEPT_MS = 30 * 86_400_000;
/** Of a project. */
const MOST_KEPT = 20_000;

const FIND = `SELECT 1 FROM hook_deliveries WHERE project = ? AND delivery IN (SELECT value FROM json_each(?)) LIMIT 1`;
const ADD = `INSERT INTO hook_deliveries (project, delivery, at_ms) SELECT ?, value, ? FROM json_each(?) WHERE true
  ON CONFLICT (project, delivery) DO NOTHING`;
const FORGET_OLD = 'DELETE FROM hook_deliveries WHERE project = ? AND at_ms < ?';
const FORGET_MOST = `DELETE FROM hook_deliveries WHERE project = ? AND id <=
  (SELECT id FROM hook_deliveries WHERE project = ? ORDER BY id DESC LIMIT 1 OFFSET ${MOST_KEPT})`;

export function hookDeliveryStore({ reader, writer }: Context): HookDeliveryStore {
  return {
    async isKnown(project, keys) {
      return (await reader.get(FIND, project, JSON.stringify(keys))) !== undefined;
    },
    async add(project, keys, atMs) {
      await writer.write(async (transaction) => {
        await transaction.run(ADD, project, atMs, JSON.stringify(keys));
        await transaction.run(FORGET_OLD, project, atMs - KEPT_MS);
        await transaction.run(FORGET_MOST, project, project);
      });
    },
  };
}
