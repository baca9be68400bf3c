import type { Migration } from './migration.ts';

/** The last builds of one worker are shown with it: not at the price of walking all builds there ever were. */
export const buildsByWorker: Migration = (schema) =>
  schema.alterTable('builds', (table) => {
    table.index(['worker', 'id']);
  });
