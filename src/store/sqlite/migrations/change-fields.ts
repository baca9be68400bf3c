import type { Migration } from './migration.ts';

/** Who committed a change, where it can be looked at, and which part of the source it is of. */
export const changeFields: Migration = (schema) =>
  schema.alterTable('changes', (table) => {
    table.text('committer');
    table.text('revlink');
    table.text('codebase');
  });
