import type { Migration } from './migration.ts';

/** Which builds somebody wanted again is looked up from either side. */
export const rebuilds: Migration = (schema) =>
  schema.alterTable('build_sets', (table) => {
    table.index(['rebuilt_of']);
  });
