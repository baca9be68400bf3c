import type { Migration } from './migration.ts';

/** Which scheduler made a build set, if one did; the project is its builders'. */
export const schedulers: Migration = (schema) =>
  schema.alterTable('build_sets', (table) => {
    table.text('project');
    table.text('scheduler');
    table.index(['project', 'scheduler', 'id']);
  });
