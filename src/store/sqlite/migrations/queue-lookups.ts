import type { Migration } from './migration.ts';

/**
 * Each round of the queue asks for the newest build of each builder, each end of a build for its seat, and people for the newest
 * builds of a builder or a project: not at the price of walking all that there are.
 */
export const queueLookups: Migration = (schema) =>
  schema
    .alterTable('builds', (table) => {
      table.index(['project', 'builder', 'id']);
      table.index(['project', 'id']);
    })
    .alterTable('seats', (table) => {
      table.index(['build_id']);
    });
