import type { Migration } from './migration.ts';

/** Files that builds have kept; their bytes lie in a folder, by their hash. */
export const artifacts: Migration = (schema) =>
  schema.createTable('artifacts', (table) => {
    table.increments('id');
    table.integer('build_id').notNullable().references('builds.id');
    table.text('project').notNullable();
    table.text('builder').notNullable();
    table.integer('step').notNullable();
    table.text('name').notNullable();
    table.text('sha256').notNullable();
    table.bigInteger('size').notNullable();
    table.bigInteger('kept_at_ms').notNullable();
    table.unique(['build_id', 'name']);
    table.index(['project', 'name', 'build_id']);
    table.index(['sha256']);
  });
