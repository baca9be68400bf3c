import type { Migration } from './migration.ts';

/** Why a worker is given no builds: by an operator's word, by its own wish, or because its term is over. */
export const workerStates: Migration = (schema) =>
  schema.alterTable('workers', (table) => {
    table.text('hold');
    table.text('hold_by');
    table.text('hold_reason');
    table.bigInteger('hold_since_ms');
    // The daemon's start that wants to leave.
    table.text('leaving_process');
    table.text('leaving_reason');
    table.bigInteger('leaving_since_ms');
    table.text('term');
    table.integer('term_builds');
    table.integer('term_given');
  });
