import type { Migration } from './migration.ts';

/**
 * A build set may have been asked for by a build: by which call of which step, and whether that one waits for it. Its place in the
 * queue may then be another than its time, its worker may be chosen, and its properties may come from several sources.
 */
export const parents: Migration = (schema) =>
  schema.alterTable('build_sets', (table) => {
    table.integer('parent_build_id');
    table.text('parent_key');
    table.boolean('parent_waits');
    table.bigInteger('rank_at_ms');
    table.text('only_worker');
    table.text('property_sources');
    table.unique(['parent_build_id', 'parent_key']);
  });
