import type { Migration } from './migration.ts';

/** Links that steps tell of. */
export const stepLinks: Migration = (schema) =>
  schema.createTable('step_links', (table) => {
    table.increments('id');
    table.integer('build_id').notNullable().references('builds.id');
    table.integer('step').notNullable();
    table.text('name').notNullable();
    table.text('url').notNullable();
    table.unique(['build_id', 'step', 'name']);
  });
