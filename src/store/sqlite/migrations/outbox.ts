import type { Migration } from './migration.ts';

/** What is to be told outside, and what became of it. */
export const outbox: Migration = (schema) =>
  schema.createTable('outbox', (table) => {
    table.increments('id');
    table.text('key').notNullable().unique();
    table.text('reporter').notNullable();
    table.text('receiver').notNullable();
    table.text('subject').notNullable();
    table.text('body').notNullable();
    table.text('state').notNullable();
    table.integer('attempts').notNullable();
    table.bigInteger('created_at_ms').notNullable();
    table.bigInteger('waits_since_ms').notNullable();
    table.bigInteger('next_try_ms').notNullable();
    table.bigInteger('ended_at_ms');
    table.text('last_error');
    table.index(['state', 'id']);
    table.index(['state', 'reporter', 'next_try_ms']);
  });
