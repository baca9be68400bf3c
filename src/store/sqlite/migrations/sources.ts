import type { Migration } from './migration.ts';

/** Repositories that are polled, and how far each project has come with its own. */
export const sources: Migration = (schema) =>
  schema
    .createTable('sources', (table) => {
      table.text('url').primary();
      table.bigInteger('polled_at_ms').notNullable();
      table.text('error');
      table.bigInteger('error_since_ms');
      table.integer('failures').notNullable();
      table.bigInteger('mirror_bytes').notNullable();
    })
    .createTable('source_progress', (table) => {
      table.text('project').primary();
      table.text('url').notNullable();
      table.text('wants').notNullable();
    })
    .createTable('source_tips', (table) => {
      table.text('project').notNullable();
      table.text('ref').notNullable();
      table.text('revision').notNullable();
      table.primary(['project', 'ref']);
    });
