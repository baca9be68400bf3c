import type { Migration } from './migration.ts';

/** Whether a revision that a person names is known, and whose. */
export const changeRevisions: Migration = (schema) =>
  schema.alterTable('changes', (table) => {
    table.index(['project', 'revision']);
  });
