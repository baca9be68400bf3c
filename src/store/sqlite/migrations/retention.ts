import type { Migration } from './migration.ts';

/** Logs that were given up, whose files may still have to go; and which builds keep a bundle or a source stamp from going. */
export const retention: Migration = (schema) =>
  schema
    .alterTable('logs', (table) => {
      table.bigInteger('deleted_at_ms');
    })
    .alterTable('builds', (table) => {
      table.bigInteger('logs_deleted_at_ms');
      table.index(['config_hash']);
    })
    .alterTable('build_sets', (table) => {
      table.index(['source_stamp_id']);
    })
    .createTable('log_removals', (table) => {
      // Of a log that was given up: its file goes, then this.
      table.integer('log_id').primary();
    });
