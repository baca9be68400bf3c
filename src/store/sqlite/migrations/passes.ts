import type { Migration } from './migration.ts';

/** What stands for people without their keys: links to sign in with, sessions of browsers, tokens. */
export const passes: Migration = (schema) =>
  schema.createTable('passes', (table) => {
    table.text('id').primary();
    table.text('kind').notNullable();
    table.text('who').notNullable();
    table.text('secret_sha256').notNullable();
    table.text('label').notNullable();
    table.text('role');
    table.text('keys').notNullable();
    table.bigInteger('made_at_ms').notNullable();
    table.bigInteger('expires_at_ms').notNullable();
    table.index(['who', 'kind']);
  });
