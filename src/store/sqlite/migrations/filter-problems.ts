import type { Migration } from './migration.ts';

/** Why filters could not tell whether they want a change. */
export const filterProblems: Migration = (schema) =>
  schema.alterTable('changes', (table) => {
    table.text('problems');
  });
