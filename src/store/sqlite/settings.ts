import { StoreError } from '../store.ts';
import type { Context } from './context.ts';

const MAKE = `INSERT INTO settings (name, value) VALUES ('master_id', ?) ON CONFLICT (name) DO NOTHING`;
const GET = `SELECT value FROM settings WHERE name = 'master_id'`;

/** The name of this database's master, made at the first call. */
export async function masterId({ reader, writer }: Context, make: () => string): Promise<string> {
  const known = await reader.get<{ value: string }>(GET);
  if (known) return known.value;
  return writer.write(async (transaction) => {
    await transaction.run(MAKE, make());
    const row = await transaction.get<{ value: string }>(GET);
    if (!row) throw new StoreError('conflict', 'the name of the master was not stored');
    return row.value;
  });
}
