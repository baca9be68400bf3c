import type { Migration } from './migration.ts';

/** Troubles of workers, those that last and those that are over; and when each worker connected anew. */
export const troubles: Migration = (schema) =>
  schema
    .createTable('troubles', (table) => {
      table.increments('id');
      table.text('worker').notNullable();
      table.text('kind').notNullable();
      table.bigInteger('since_ms').notNullable();
      table.bigInteger('until_ms');
      table.text('text').notNullable();
      table.text('end_text');
      table.text('owner');
      table.index(['until_ms']);
      table.index(['worker', 'id']);
    })
    .createTable('worker_connections', (table) => {
      table.increments('id');
      table.text('worker').notNullable();
      table.bigInteger('at_ms').notNullable();
      table.index(['worker', 'id']);
      table.index(['at_ms']);
    });
