import type { Migration } from './migration.ts';

/** What is kept of schedulers: who switched one off, when its timer goes off, and which changes wait for it. */
export const schedulerStates: Migration = (schema) =>
  schema
    .createTable('scheduler_states', (table) => {
      table.text('project').notNullable();
      table.text('name').notNullable();
      table.text('off_by');
      table.text('off_reason');
      table.bigInteger('off_since_ms');
      // What next_at_ms goes by.
      table.text('rule');
      table.bigInteger('next_at_ms');
      table.bigInteger('last_at_ms');
      // Build sets up to this one are followed no more.
      table.integer('from_set_id');
      table.primary(['project', 'name']);
    })
    .createTable('scheduler_changes', (table) => {
      table.text('project').notNullable();
      table.text('scheduler').notNullable();
      table.text('branch').notNullable();
      table.integer('change_id').notNullable().references('changes.id');
      table.boolean('is_important').notNullable();
      table.bigInteger('at_ms').notNullable();
      table.primary(['project', 'scheduler', 'branch', 'change_id']);
      table.index(['change_id']);
    })
    .createTable('scheduler_follows', (table) => {
      table.text('project').notNullable();
      table.text('scheduler').notNullable();
      table.integer('build_set_id').notNullable().references('build_sets.id');
      table.primary(['project', 'scheduler', 'build_set_id']);
    });
