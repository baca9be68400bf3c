import type { HostKeyStore } from '../store.ts';
import type { Context } from './context.ts';
import { fromJson } from './row.ts';

const LIST = 'SELECT worker, keys FROM worker_host_keys';
const PUT = `INSERT INTO worker_host_keys (worker, keys) VALUES (?, ?)
  ON CONFLICT (worker) DO UPDATE SET keys = excluded.keys`;

export function hostKeyStore({ reader, writer }: Context): HostKeyStore {
  return {
    async list() {
      const rows = await reader.all<{ readonly worker: string; readonly keys: string }>(LIST);
      return new Map(rows.map(({ worker, keys }) => [worker, fromJson(keys) as unknown as readonly string[]]));
    },
    async put(worker, keys) {
      await writer.write((transaction) => transaction.run(PUT, worker, JSON.stringify(keys)));
    },
  };
}
