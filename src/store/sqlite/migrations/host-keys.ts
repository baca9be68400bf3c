import type { Migration } from './migration.ts';

/** The master's host keys that each worker trusts, as it said last. */
export const hostKeys: Migration = (schema) =>
  schema.createTable('worker_host_keys', (table) => {
    table.text('worker').primary();
    table.text('keys').notNullable();
  });
