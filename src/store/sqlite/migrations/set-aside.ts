import type { Migration } from './migration.ts';

/** How many builds in a row ended by their worker's own fault, and until when it is given no more for it. */
export const setAside: Migration = (schema) =>
  schema.alterTable('workers', (table) => {
    table.integer('faults').notNullable().defaultTo(0);
    table.bigInteger('aside_until_ms');
    table.text('aside_reason');
  });
