import type { Migration } from './migration.ts';

/** Changes, each once by its key in its project, and the build sets that were made for them. */
export const changes: Migration = (schema) =>
  schema
    .createTable('changes', (table) => {
      table.increments('id');
      table.text('project').notNullable();
      table.text('key').notNullable();
      table.text('repository').notNullable();
      table.text('branch').notNullable();
      table.text('revision').notNullable();
      table.text('author');
      table.text('comments').notNullable();
      table.text('files').notNullable();
      table.integer('files_left_out').notNullable();
      table.text('category');
      table.text('properties').notNullable();
      table.bigInteger('at_ms').notNullable();
      table.text('sent_by').notNullable();
      table.unique(['project', 'key']);
      table.index(['project', 'id']);
    })
    .createTable('build_set_changes', (table) => {
      table.integer('build_set_id').notNullable().references('build_sets.id');
      table.integer('change_id').notNullable().references('changes.id');
      table.primary(['build_set_id', 'change_id']);
      table.index(['change_id']);
    });
