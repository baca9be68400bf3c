import { StoreError } from '../store.ts';
import type { Connection } from './connection.ts';
import { MIGRATIONS } from './migrations.ts';

/** 'TRKL': tells our databases from those of other programs (sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x54_52_4b_4c;

/**
 * Brings the schema up to date, all steps in one transaction that holds the write lock from its first word: of two programs
 * that start at once the second finds the work done. `user_version` counts the steps taken.
 */
export async function migrate(connection: Connection, file: string, migrations = MIGRATIONS): Promise<void> {
  if ((await schemaVersion(connection, file, migrations.length)) === migrations.length) return;
  const { default: knex } = await import('knex');
  const words = knex({ client: 'sqlite3', useNullAsDefault: true });
  await connection.run('BEGIN IMMEDIATE');
  try {
    const taken = await schemaVersion(connection, file, migrations.length);
    for (const migration of migrations.slice(taken)) {
      // Some of what knex says answers rows, and what is not read to its end holds its snapshot for ever.
      for (const { sql } of migration(words.schema).toSQL()) await connection.all(sql);
    }
    await connection.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    await connection.run(`PRAGMA user_version = ${migrations.length}`);
    await connection.run('COMMIT');
  } catch (error) {
    await connection.run('ROLLBACK').catch(() => undefined); // The first error says more.
    throw error;
  } finally {
    await words.destroy();
  }
}

async function schemaVersion(connection: Connection, file: string, known: number): Promise<number> {
  const row = await connection.get<{ user_version: number }>('PRAGMA user_version');
  const version = row?.user_version ?? 0;
  const owner = await connection.get<{ application_id: number }>('PRAGMA application_id');
  const tables = await connection.get<{ n: number }>('SELECT count(*) AS n FROM sqlite_master');
  if (owner?.application_id !== APPLICATION_ID && (version !== 0 || (tables?.n ?? 0) > 0)) {
    throw new StoreError('damaged', `${file} is the database of another program: name another file`);
  }
  if (version > known) {
    throw new StoreError(
      'newer-schema',
      `the database ${file} was made by a newer Trunkline (schema ${version}, this one knows up to ${known}): install that version`,
    );
  }
  return version;
}
