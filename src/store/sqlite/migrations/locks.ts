import type { Migration } from './migration.ts';

/** Who holds how much of which lock, and the steps of running builds that wait for some. */
export const locks: Migration = (schema) =>
  schema
    .createTable('lock_claims', (table) => {
      table.text('key').notNullable();
      table.integer('build_id').notNullable().references('builds.id');
      // NULL: the build holds it, to its end.
      table.integer('step');
      table.text('mode').notNullable();
      table.integer('units').notNullable();
      table.bigInteger('since_ms').notNullable();
      table.primary(['key', 'build_id']);
      table.index(['build_id']);
    })
    .createTable('lock_waits', (table) => {
      table.integer('build_id').primary().references('builds.id');
      table.integer('step').notNullable();
      table.text('accesses').notNullable();
      // Why it will never have them: its step is to end.
      table.text('refusal');
    })
    .alterTable('steps', (table) => {
      table.bigInteger('lock_wait_since_ms');
      // Since it has its locks, or gave up waiting for them.
      table.bigInteger('lock_wait_ms');
    });
