import type { Migration } from './migration.ts';

/** What builds are shown as by their properties, and the newest word on each such name. */
export const virtualBuilders: Migration = (schema) =>
  schema
    .createTable('virtual_builds', (table) => {
      table.integer('build_id').primary();
      table.text('project').notNullable();
      table.text('name').notNullable();
      table.index(['project', 'name', 'build_id']);
    })
    .createTable('virtual_builders', (table) => {
      table.text('project').notNullable();
      table.text('name').notNullable();
      table.text('builder').notNullable();
      table.text('description');
      table.text('tags').notNullable();
      table.primary(['project', 'name']);
    });
