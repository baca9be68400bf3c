import type { Migration } from './migration.ts';

/** Machines that may become workers by a one-time code. */
export const invitations: Migration = (schema) =>
  schema.createTable('invitations', (table) => {
    table.text('worker').primary();
    table.text('code_hash').notNullable().unique();
    table.text('invited_by').notNullable();
    table.bigInteger('at_ms').notNullable();
    table.bigInteger('expires_at_ms').notNullable();
    table.boolean('is_for_known').notNullable();
    table.bigInteger('used_at_ms');
    table.text('used_key');
  });
