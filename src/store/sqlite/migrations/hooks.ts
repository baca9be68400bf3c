import type { Migration } from './migration.ts';

/** What forges tell of: pull requests, forks and who approved them, and which deliveries came already. */
export const hooks: Migration = (schema) =>
  schema
    .alterTable('changes', (table) => {
      table.text('kind');
      table.text('target');
      table.boolean('is_untrusted');
      table.text('skipped');
    })
    .alterTable('source_stamps', (table) => {
      table.text('untrusted_of');
    })
    .alterTable('build_sets', (table) => {
      table.text('approval');
    })
    .createTable('approvals', (table) => {
      table.text('project').notNullable();
      table.text('revision').notNullable();
      table.text('approved_by').notNullable();
      table.bigInteger('at_ms').notNullable();
      table.primary(['project', 'revision']);
    })
    .createTable('hook_deliveries', (table) => {
      table.increments('id');
      table.text('project').notNullable();
      table.text('delivery').notNullable();
      table.bigInteger('at_ms').notNullable();
      table.unique(['project', 'delivery']);
      table.index(['project', 'id']);
    });
