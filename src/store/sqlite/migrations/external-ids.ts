import type { Migration } from './migration.ts';

/** What others call a build set, or the change that gives rise to one. */
export const externalIds: Migration = (schema) =>
  schema
    .alterTable('build_sets', (table) => {
      table.text('external_id');
    })
    .alterTable('changes', (table) => {
      table.text('external_id');
    });
